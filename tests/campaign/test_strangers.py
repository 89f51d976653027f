"""Whoever reaches a campaign's port, and a disk that is away for a while, end no campaign."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.campaign.harness import (
    GRACE_S,
    arguments,
    count,
    environment,
    events,
    processes_of,
    run,
    wait_for,
    write_campaign,
)
from tests.strangers import GREETING, strangers_at

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(300)]

NUM_CANDIDATES = 6
LIMIT = 512  # descriptors of the campaign and of all that it starts
STRANGERS = 1080


# Nothing is trained before the gate is there: whatever happens in between happens to candidates in training.
_SPACE = """\
import os, time
from torch import nn

def gated(trial, problem):
    trial.suggest_int("width", 1, 1 << 30)
    while "PMI_RANK" in os.environ and not os.path.exists({gate!r}):
        time.sleep(0.05)
    num_inputs = problem.channels * problem.height * problem.width
    return nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, problem.num_classes))
"""
# In the campaign's own process: its ledger's disk is away while that file is there.
_AWAY = """\
import errno, os
_fsync = os.fsync

def fsync(descriptor):
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    if os.path.exists({away!r}) and os.readlink(f"/proc/self/fd/{{number}}").endswith("ledger.jsonl"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    _fsync(descriptor)

os.fsync = fsync
"""


def launch(line: list[str], *, descriptors: int = LIMIT, **extra: str) -> subprocess.Popen[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=limit,
    )


def held_campaign(tmp_path: Path, gate: Path) -> list[str]:
    """The line of a campaign that trains nothing before the gate is there."""
    space = tmp_path / "gated.py"
    space.write_text(_SPACE.format(gate=str(gate)))
    settings = (
        "campaign.name=held",
        f"campaign.num_candidates={NUM_CANDIDATES}",
        f'space.name="{space}:gated"',
        "training.max_epochs=2",
        f"group.orphan_grace_s={GRACE_S}",
    )
    return arguments(write_campaign(tmp_path / "c.toml"), tmp_path / "run", *settings)


def a_trainer(run_dir: Path) -> psutil.Process:
    for process in psutil.process_iter(["cmdline", "environ"]):
        line = " ".join(process.info["cmdline"] or [])
        first = (process.info["environ"] or {}).get("PMI_RANK") == "0"
        if first and str(run_dir) in line and " mpi4py " in line and "rank_wrapper.py" not in line:
            return process
    raise AssertionError("no trainer found")


def ended(run_dir: Path) -> Counter[int]:
    return Counter(e["outcome"]["candidate"] for e in events(run_dir) if e["event"] == "candidate_ended")


def test_strangers_at_the_port_and_a_trainer_that_dies_meanwhile_end_no_campaign(tmp_path: Path) -> None:
    run_dir, gate = tmp_path / "run", tmp_path / "gate"
    process = launch(held_campaign(tmp_path, gate))
    wait_for(lambda: count(run_dir, "attempt_started") >= 2, timeout_s=120, what="candidates in training")
    connection = json.loads((run_dir / "private" / "connection.json").read_text())
    port = int(connection["endpoints"][0].rpartition(":")[2])
    with strangers_at(port, count=STRANGERS, says=GREETING):
        held = len(os.listdir(f"/proc/{process.pid}/fd"))
        a_trainer(run_dir).kill()
        wait_for(lambda: count(run_dir, "group_reported") >= 2, timeout_s=120, what="a new group, let in")
        gate.touch()
        output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert held < LIMIT
    assert "Traceback" not in output
    assert "wait at the campaign's port" in " ".join(output.split())
    assert ended(run_dir) == Counter(range(NUM_CANDIDATES))
    wait_for(lambda: processes_of(run_dir) == [], timeout_s=30, what="everything it started to leave")


def test_disk_that_is_away_for_a_while_costs_a_word_and_one_that_stays_away_an_orderly_end(
    tmp_path: Path,
) -> None:
    run_dir, gate, away = tmp_path / "run", tmp_path / "gate", tmp_path / "away"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_AWAY.format(away=str(away)))
    line = held_campaign(tmp_path, gate)
    process = launch(line, descriptors=4096, PYTHONPATH=str(tmp_path / "site"))
    wait_for(lambda: count(run_dir, "attempt_started") >= 2, timeout_s=120, what="candidates in training")

    away.touch()
    a_trainer(run_dir).kill()
    log = run_dir / "campaign.log"
    wait_for(lambda: "tried again for up to" in log.read_text(), timeout_s=60, what="a word")
    assert count(run_dir, "group_ended") == 0
    away.unlink()
    wait_for(lambda: count(run_dir, "group_reported") >= 2, timeout_s=120, what="the campaign to go on")

    away.touch()
    a_trainer(run_dir).kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "Input/output error" in output
    assert "resume" in output
    wait_for(lambda: processes_of(run_dir) == [], timeout_s=GRACE_S + 10, what="all that it started to leave")

    away.unlink()
    gate.touch()
    again = run([*line[:2], "--resume", "--run-dir", str(run_dir)])
    assert again.returncode == 0, again.stdout + again.stderr
    assert ended(run_dir) == Counter(range(NUM_CANDIDATES))
