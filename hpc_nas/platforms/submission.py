"""Hands a job script to the scheduler: once, or as a chain in which each job starts when the one before has ended."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import Scheduler
from hpc_nas.errors import ConfigurationError, LaunchError

TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class _Commands:
    """How one scheduler takes jobs. `after` names the job that must have ended, however it did."""

    submit: tuple[str, ...]
    after: tuple[str, ...]
    cancel: str
    job_id: re.Pattern[str]
    extension: str


_COMMANDS = {
    # "1234", or "1234;cluster"
    Scheduler.SLURM: _Commands(
        submit=("sbatch", "--parsable"),
        after=("--dependency=afterany:{}",),
        cancel="scancel",
        job_id=re.compile(r"^(\d+)(;\S+)?$", re.MULTILINE),
        extension="sbatch",
    ),
    # "Job <1234> is submitted to queue <batch>."
    Scheduler.LSF: _Commands(
        submit=("bsub",),
        after=("-w", "ended({})"),
        cancel="bkill",
        job_id=re.compile(r"^Job <(\d+)> is submitted to ", re.MULTILINE),
        extension="lsf",
    ),
    # "1234.server"
    Scheduler.PBS: _Commands(
        submit=("qsub",),
        after=("-W", "depend=afterany:{}"),
        cancel="qdel",
        job_id=re.compile(r"^(\d+(?:\.\S+)?)$", re.MULTILINE),
        extension="pbs",
    ),
}


def check_scheduler(scheduler: Scheduler) -> None:
    """Raises LaunchError where this machine has no command to submit with."""
    command = _COMMANDS[scheduler].submit[0]
    if shutil.which(command) is None:
        raise LaunchError(
            f"no {command} on this machine, and scheduler = {str(scheduler)!r}: submit where it is (a login node), "
            "or only look at the script (--dry-run)"
        )


def script_name(scheduler: Scheduler) -> str:
    """The file name of a job script, by its scheduler's habits."""
    return f"job.{_COMMANDS[scheduler].extension}"


def submit_line(scheduler: Scheduler, *, script: Path, after: str = "") -> list[str]:
    """The command that submits `script`, to start once job `after` has ended. bsub reads its script as input."""
    commands = _COMMANDS[scheduler]
    line = [*commands.submit]
    if after:
        line += [part.format(after) for part in commands.after]
    return line if scheduler == Scheduler.LSF else [*line, str(script)]


def parse_job_id(scheduler: Scheduler, answer: str) -> str:
    """The job's id in what the submitting command printed. Raises LaunchError when it says none."""
    found = _COMMANDS[scheduler].job_id.search(answer.strip())
    if found is None:
        command = _COMMANDS[scheduler].submit[0]
        raise LaunchError(
            f"{command} printed no job id: {answer.strip()[-300:]!r}; look whether the job is queued before "
            "submitting again"
        )
    return found[1]


def submit_chain(scheduler: Scheduler, *, script: Path, length: int, working_dir: Path) -> Iterator[str]:
    """Submit the script `length` times, each to start when the one before has ended; yields the jobs' ids.

    Raises LaunchError with what the scheduler said; jobs that it has taken already stay, and the message says how
    to take them back.
    """
    if length < 1:
        raise ConfigurationError(f"--chain {length}: a chain has at least one job")
    taken: list[str] = []
    for _ in range(length):
        line = submit_line(scheduler, script=script, after=taken[-1] if taken else "")
        try:
            job = parse_job_id(scheduler, _run(line, script=script, working_dir=working_dir))
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


def _left(scheduler: Scheduler, taken: list[str], *, length: int) -> str:
    if not taken:
        return ""
    return (
        f"; {len(taken)} of {length} jobs are queued and stay ({_COMMANDS[scheduler].cancel} {' '.join(taken)} "
        "takes them back)"
    )
