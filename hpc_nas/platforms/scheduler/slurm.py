"""Slurm. A job's end: `squeue -h -j ID -o %e` and `scontrol show job ID`, with SLURM_TIME_FORMAT=%s.

So both answer in seconds since 1970 whatever the time zone (squeue(1), scontrol(1), "ENVIRONMENT VARIABLES"; tried with
22.05).
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_nas.configuration import Configuration, Scheduler
from hpc_nas.platforms.scheduler.base import BatchScheduler, cores_asked_for, directives, given

if TYPE_CHECKING:
    from parsl.providers.base import ExecutionProvider


class Slurm(BatchScheduler):
    """`sbatch`, `squeue`, `scontrol`."""

    key = Scheduler.SLURM
    name = "Slurm"
    job_variable = "SLURM_JOB_ID"
    end_variable = "SLURM_JOB_END_TIME"  # since 23.02
    prefix = "#SBATCH"
    no_output = "--output=/dev/null"
    ping = ("scontrol", "ping")
    submit = ("sbatch", "--parsable")
    after = ("--dependency=afterany:{}",)
    cancel = "scancel"
    job_id = re.compile(r"^(\d+)(;\S+)?$", re.MULTILINE)  # "1234", or "1234;cluster"
    extension = "sbatch"

    def options(self, configuration: Configuration, jobs_dir: Path) -> list[str]:
        """One task per node: the node launcher starts one process on each, and that starts the ranks.

        A job that loses a node goes on with the others (`--no-kill`); one that loses the node of its script is queued
        again under its old number (`--requeue`), and its output is not written over.
        """
        platform = configuration.platform
        return [
            f"--job-name={configuration.campaign.name}",
            f"--output={jobs_dir}/slurm-%j.out",
            f"--nodes={platform.num_nodes}",
            "--ntasks-per-node=1",
            f"--cpus-per-task={cores_asked_for(configuration)}",
            *given("--gpus-per-node={}", platform.gpus_per_node or None),
            *given("--time={}", platform.walltime),
            *given("--account={}", platform.account),
            *given("--partition={}", platform.queue),
            *given("--qos={}", platform.qos),
            *given("--constraint={}", platform.constraint),
            f"--signal=B:USR1@{math.ceil(configuration.warn_s)}",
            "--no-kill",
            "--requeue",
            "--open-mode=append",
        ]

    def end_questions(self, number: str) -> list[list[str]]:
        return [["squeue", "-h", "-j", number, "-o", "%e"], ["scontrol", "show", "job", number]]

    def read_end(self, answer: str, *, now: float) -> float | None:
        """squeue's %e or scontrol's EndTime=; "N/A", "NONE" and "Unknown" are jobs without an end."""
        found = re.search(r"\bEndTime=(\S+)", answer)
        text = found.group(1) if found else answer.strip()
        if text.isdigit():
            return float(text)
        try:
            return datetime.fromisoformat(text).timestamp()  # local time, as the command prints it
        except ValueError:
            return None

    def provider(self, configuration: Configuration, blocks: dict[str, Any]) -> ExecutionProvider:
        """A lost block is replaced, not queued again under its old number; one that loses a node goes on."""
        from parsl.providers import SlurmProvider

        from hpc_nas.platforms.providers import polled_often

        platform = configuration.platform
        return polled_often(SlurmProvider)(
            partition=platform.queue,
            account=platform.account,
            qos=platform.qos,
            constraint=platform.constraint,
            cores_per_node=cores_asked_for(configuration),
            gpus_per_node=platform.gpus_per_node or None,
            exclusive=False,  # a directive of the platform's, where it takes one
            scheduler_options=directives(self.prefix, ["--no-kill", "--no-requeue", *platform.directives]),
            **blocks,
        )
