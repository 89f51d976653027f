"""Hands a job script to the scheduler: once, or as a chain in which each job starts when the one before has ended."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hpc_nas.errors import ConfigurationError, LaunchError
from hpc_nas.platforms.scheduler import BatchScheduler

TIMEOUT_S = 120.0


def check_can_submit(scheduler: BatchScheduler) -> None:
    """Raises LaunchError where this machine has no command to submit with."""
    command = scheduler.submit[0]
    if shutil.which(command) is None:
        raise LaunchError(
            f"no {command} on this machine, and scheduler = {str(scheduler.key)!r}: submit where it is (a login "
            "node), or only look at the script (--dry-run)"
        )


def submit_chain(scheduler: BatchScheduler, *, script: Path, length: int, working_dir: Path) -> Iterator[str]:
    """Submit the script `length` times, each to start when the one before has ended; yields the jobs' ids.

    Raises LaunchError with what the scheduler said; jobs that it has taken already stay, and the message says how
    to take them back.
    """
    if length < 1:
        raise ConfigurationError(f"--chain {length}: a chain has at least one job")
    taken: list[str] = []
    for _ in range(length):
        line = scheduler.submit_line(script, after=taken[-1] if taken else "")
        try:
            job = scheduler.parse_job_id(_run(line, script=script, working_dir=working_dir))
        except LaunchError as error:
            raise LaunchError(f"{error}{_left(scheduler, taken, length=length)}") from error.__cause__
        taken.append(job)
        yield job


def _run(line: list[str], *, script: Path, working_dir: Path) -> str:
    try:
        with open(script, "rb") as text:
            done = subprocess.run(
                line, stdin=text, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=working_dir
            )
    except subprocess.TimeoutExpired:
        raise LaunchError(
            f"{line[0]}: no answer within {TIMEOUT_S:g} s; the job may be queued all the same"
        ) from None
    except OSError as error:
        raise LaunchError(f"{line[0]} can't be started: {error}") from error
    if done.returncode != 0:
        said = " | ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-4:])
        raise LaunchError(f"{' '.join(line)}: exit code {done.returncode}: {said or 'nothing said'}")
    return done.stdout


def _left(scheduler: BatchScheduler, taken: list[str], *, length: int) -> str:
    if not taken:
        return ""
    return (
        f"; {len(taken)} of {length} jobs are queued and stay ({scheduler.cancel} {' '.join(taken)} "
        "takes them back)"
    )
