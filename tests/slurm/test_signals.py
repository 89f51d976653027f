"""Whom Slurm tells what: the table in `cluster`, measured. Job scripts and group tasks are built on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gate import HANG_S
from tools.slurm_cluster.cluster import Cluster, Whom

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

NUM_WITNESSES = 4
WITNESS = """
import os, signal, sys, time
def tell(text):
    with open(sys.argv[1], "a") as file:
        file.write(f"{sys.argv[2]} {text}\\n")
for name in ("TERM", "USR1", "CONT"):
    signal.signal(getattr(signal, f"SIG{name}"), lambda signum, frame: tell(signal.Signals(signum).name))
tell("up")
while True:
    time.sleep(0.1)
"""


def test_scancel_tells_all_at_once(slurm: Cluster, tmp_path: Path) -> None:
    job, heard = _start(slurm, tmp_path)
    slurm.cancel(job)
    assert slurm.wait(job, timeout_s=HANG_S) == "CANCELLED"
    everyone = {(who, name) for who in ("batch", "child", "task") for name in ("SIGCONT", "SIGTERM")}
    assert heard() == everyone


def test_signal_to_the_batch_shell_reaches_it_alone(slurm: Cluster, tmp_path: Path) -> None:
    job, heard = _start(slurm, tmp_path)
    slurm.signal(job, "USR1", whom=Whom.BATCH)
    slurm.wait_for(lambda: bool(heard()), timeout_s=HANG_S, what="the signal", job=job)
    slurm.signal(job, "USR1", whom=Whom.STEPS)
    slurm.wait_for(lambda: len(heard()) == 2, timeout_s=HANG_S, what="the second signal", job=job)
    assert heard() == {("batch", "SIGUSR1"), ("task", "SIGUSR1")}


def test_warning_before_the_limit_reaches_the_batch_shell_alone(slurm: Cluster, tmp_path: Path) -> None:
    job, heard = _start(slurm, tmp_path, time=1, signal="B:USR1@50")
    slurm.wait_for(lambda: bool(heard()), timeout_s=HANG_S, what="the warning", job=job)
    slurm.wait_for(lambda: len(heard()) == 2, timeout_s=HANG_S, what="SIGCONT with it", job=job)
    assert heard() == {("batch", "SIGUSR1"), ("batch", "SIGCONT")}
    assert slurm.state(job) == "RUNNING"


def _start(
    slurm: Cluster, directory: Path, **options: str | int
) -> tuple[int, Callable[[], set[tuple[str, str]]]]:
    """A job whose batch script, child and tasks on two nodes write down what they get; (job, what was heard)."""
    log, witness = directory / "heard", directory / "witness.py"
    witness.write_text(WITNESS)
    line = f"{sys.executable} {witness} {log}"
    batch = directory / "batch.py"
    batch.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        f"subprocess.Popen({line.split()} + ['child'])\n"
        f"subprocess.Popen(['srun', '-n2', '-N2', '--overlap', *{line.split()}, 'task'])\n"
        f"sys.argv = ['', {str(log)!r}, 'batch']\n{WITNESS}"
    )
    job = slurm.submit(batch, nodes=2, **options)

    def lines() -> list[list[str]]:
        return [text.split() for text in log.read_text().splitlines()] if log.exists() else []

    slurm.wait_for(
        lambda: [text[1] for text in lines()].count("up") == NUM_WITNESSES,
        timeout_s=HANG_S,
        what="all witnesses",
        job=job,
    )
    return job, lambda: {(who, what) for who, what in lines() if what != "up"}
