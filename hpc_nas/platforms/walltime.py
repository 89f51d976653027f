"""When does this allocation end? Asked of whoever knows: the environment, the scheduler, the platform file."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping

import psutil

from hpc_nas.configuration import Configuration, Placement
from hpc_nas.platforms.scheduler import SCHEDULERS, Job, current_job

logger = logging.getLogger(__name__)

DEADLINE_VARIABLE = "HPC_NAS_DEADLINE"  # seconds since 1970; comes before everything else
ANSWER_WITHIN_S = 20.0  # a busy controller; Slurm's own commands give up after 10 s (MessageTimeout)


def find_deadline(
    configuration: Configuration, *, environment: Mapping[str, str], now: float
) -> float | None:
    """When this process's allocation ends, in seconds since 1970; None where nothing limits it.

    In this order: HPC_NAS_DEADLINE; SLURM_JOB_END_TIME (Slurm since 23.02); the scheduler's answer; [platform]
    walltime, counted from this process's start. A campaign outside of its blocks has no deadline: they have.
    Answers that can't be read, or lie in the past, are told by a warning and passed over.
    """
    for variable in (DEADLINE_VARIABLE, *(each.end_variable for each in SCHEDULERS.values())):
        if (told := _told(environment.get(variable, ""), source=variable, now=now)) is not None:
            return told
    job = current_job(environment)
    if job is not None and (answered := _ask(job, environment=environment, now=now)) is not None:
        return answered
    limit_s = configuration.platform.walltime_s
    if limit_s is None or (job is None and configuration.platform.placement == Placement.BLOCKS):
        return None
    return float(psutil.Process().create_time()) + limit_s


def _told(text: str, *, source: str, now: float) -> float | None:
    if not text:
        return None
    try:
        time = float(text)
    except ValueError:
        logger.warning("%s = %r is not a time in seconds since 1970; it is passed over", source, text)
        return None
    return _plausible(time, source=source, now=now)


def _plausible(time: float, *, source: str, now: float) -> float | None:
    if now < time < float("inf"):
        return time
    logger.warning("%s tells an end at %.0f, but it is %.0f already; it is passed over", source, time, now)
    return None


def _ask(job: Job, *, environment: Mapping[str, str], now: float) -> float | None:
    for command in job.scheduler.end_questions(job.number):
        answer = _run(command, environment=environment)
        end = None if answer is None else job.scheduler.read_end(answer, now=now)
        if end is not None:
            return _plausible(end, source=" ".join(command), now=now)
    logger.warning(
        "%s tells no end of job %s; [platform] walltime counts instead", job.scheduler.key, job.number
    )
    return None


def _run(command: list[str], *, environment: Mapping[str, str]) -> str | None:
    """What the command prints, or None with a warning: no deadline is worth a group's start."""
    program = shutil.which(command[0], path=environment.get("PATH", os.defpath))
    if program is None:
        logger.warning("no %s on PATH", command[0])
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            stdin=subprocess.DEVNULL,
            env={**environment, "SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("%s: %s", " ".join(command), error)
        return None
    if done.returncode != 0:
        logger.warning("%s: exit code %d: %s", " ".join(command), done.returncode, done.stderr.strip()[-200:])
        return None
    return done.stdout
