"""PBS Professional and OpenPBS. A job's end: `qstat -f ID`: `stime` (when it started) and `Resource_List.walltime`.

Without `stime` `resources_used.walltime`, which lags behind by as much as the server's polling. The text is read rather
than `-F json`, which is invalid where a job's environment holds certain characters. pbs_job_attributes(7B), qstat(1B).
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_nas.configuration import Configuration, DeviceVariable, Scheduler
from hpc_nas.platforms.scheduler.base import (
    BatchScheduler,
    clock_seconds,
    cores_asked_for,
    directives,
    given,
)

if TYPE_CHECKING:
    from parsl.providers.base import ExecutionProvider


class PBS(BatchScheduler):
    """`qsub`, `qstat`. No warning can be asked for: the campaign's own clock ends it before the limit's SIGTERM."""

    key = Scheduler.PBS
    name = "PBS"
    job_variable = "PBS_JOBID"
    prefix = "#PBS"
    no_output = "-o /dev/null"
    ping = ("qstat", "-B")
    submit = ("qsub",)
    after = ("-W", "depend=afterany:{}")
    cancel = "qdel"
    job_id = re.compile(r"^(\d+(?:\.\S+)?)$", re.MULTILINE)  # "1234.server"
    extension = "pbs"

    def options(self, configuration: Configuration, jobs_dir: Path) -> list[str]:
        platform = configuration.platform
        # mpiprocs: one line per node in $PBS_NODEFILE
        chunk = [f"ncpus={cores_asked_for(configuration)}", "mpiprocs=1", *_gpus(configuration)]
        return [
            f"-N {configuration.campaign.name}",
            f"-l select={platform.num_nodes}:{':'.join(chunk)}",
            "-l place=scatter",
            *given("-l walltime={}", platform.walltime),
            *given("-A {}", platform.account),
            *given("-q {}", platform.queue),
            "-S /bin/bash",
            "-j oe",
            "-k doe",  # written where it belongs while the job runs, not copied there after its end
            f"-o {jobs_dir}/",
            "-r y",
        ]

    def end_questions(self, number: str) -> list[list[str]]:
        return [["qstat", "-f", number]]

    def read_end(self, answer: str, *, now: float) -> float | None:
        """The full display of one job, as text."""
        fields = dict(re.findall(r"^\s+([\w.]+) = (.*?)\s*$", answer, re.MULTILINE))
        limit_s = clock_seconds(fields.get("Resource_List.walltime", ""))
        if limit_s is None:
            return None
        try:
            return datetime.strptime(fields["stime"], "%a %b %d %H:%M:%S %Y").timestamp() + limit_s
        except (KeyError, ValueError):
            used_s = clock_seconds(fields.get("resources_used.walltime", ""))
            return None if used_s is None else now + limit_s - used_s

    def provider(self, configuration: Configuration, blocks: dict[str, Any]) -> ExecutionProvider:
        """One chunk a node, and each on a node of its own."""
        from parsl.providers import PBSProProvider

        from hpc_nas.platforms.providers import polled_often

        platform = configuration.platform
        return polled_often(PBSProProvider)(
            account=platform.account,
            queue=platform.queue,
            cpus_per_node=cores_asked_for(configuration),
            select_options=":".join(["mpiprocs=1", *_gpus(configuration)]),
            scheduler_options=directives(self.prefix, ["-l place=scatter", *platform.directives]),
            **blocks,
        )


def _gpus(configuration: Configuration) -> list[str]:
    """With ZE_AFFINITY_MASK we count tiles, which are no GPUs to PBS."""
    platform = configuration.platform
    if platform.device_variable == DeviceVariable.ZE:
        return []
    return given("ngpus={}", platform.gpus_per_node or None)
