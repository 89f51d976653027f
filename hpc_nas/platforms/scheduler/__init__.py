"""Batch schedulers: one file each (`slurm`, `lsf`, `pbs`), by the name that a platform file has for them."""

from __future__ import annotations

from collections.abc import Mapping

from hpc_nas.platforms.scheduler.base import BatchScheduler, Job
from hpc_nas.platforms.scheduler.lsf import LSF
from hpc_nas.platforms.scheduler.pbs import PBS
from hpc_nas.platforms.scheduler.slurm import Slurm

__all__ = ["SCHEDULERS", "BatchScheduler", "Job", "current_job", "job_number"]

SCHEDULERS: dict[str, BatchScheduler] = {each.key: each for each in (Slurm(), LSF(), PBS())}


def current_job(environment: Mapping[str, str]) -> Job | None:
    """The job that the environment speaks of; None outside of one."""
    for scheduler in SCHEDULERS.values():
        if number := scheduler.job_number(environment):
            return Job(scheduler=scheduler, number=number)
    return None


def job_number(environment: Mapping[str, str]) -> str:
    """Of the job that this process is part of, as its scheduler has it; empty outside of one."""
    job = current_job(environment)
    return "" if job is None else job.number
