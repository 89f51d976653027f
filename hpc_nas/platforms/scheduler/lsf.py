"""IBM Spectrum LSF. A job's end: `bjobs -noheader -o "run_time runtimelimit time_left delimiter='|'" -hms ID`.

`finish_time` is not used: it has no year and whole minutes, and ends in `E` where it only estimates. Fields, `-hms` and
the status letters X, L, E:
https://www.ibm.com/docs/en/SSWRJV_10.1.0/lsf_command_ref/bjobs.o.1.html
https://www.ibm.com/support/knowledgecenter/SSWRJV_10.1.0/lsf_command_ref/bjobs.hms.1.html
https://www.ibm.com/support/knowledgecenter/SSWRJV_10.1.0/lsf_command_ref/bjobs.__w__l.1.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_nas.configuration import Configuration, NodeLauncher, Scheduler
from hpc_nas.platforms.scheduler.base import (
    MINUTE_S,
    BatchScheduler,
    clock_seconds,
    cores_asked_for,
    directives,
    given,
)

if TYPE_CHECKING:
    from parsl.providers.base import ExecutionProvider

_BJOBS_FIELDS = "run_time runtimelimit time_left delimiter='|'"


class LSF(BatchScheduler):
    """`bsub`, `bjobs`. With jsrun, nodes are asked for as on IBM's CSM systems (Summit); elsewhere as slots."""

    key = Scheduler.LSF
    name = "LSF"
    job_variable = "LSB_JOBID"
    prefix = "#BSUB"
    no_output = "-o /dev/null"
    ping = ("lsid",)
    submit = ("bsub",)
    after = ("-w", "ended({})")
    cancel = "bkill"
    job_id = re.compile(r"^Job <(\d+)> is submitted to ", re.MULTILINE)  # "... queue <batch>."
    extension = "lsf"

    def options(self, configuration: Configuration, jobs_dir: Path) -> list[str]:
        platform = configuration.platform
        return [
            f"-J {configuration.campaign.name}",
            f"-o {jobs_dir}/lsf-%J.out",
            *_nodes(configuration),
            *given("-W {}", None if platform.walltime_s is None else _hours_minutes(platform.walltime_s)),
            *given("-P {}", platform.account),
            *given("-q {}", platform.queue),
            "-wa USR2",
            f"-wt {_minutes(configuration.warn_s)}",
            "-r",
        ]

    def submit_line(self, script: Path, *, after: str = "") -> list[str]:
        """bsub reads its script as input."""
        return self._submit_words(after)

    def job_number(self, environment: Mapping[str, str]) -> str:
        """`ID[INDEX]` in a job array."""
        number, index = super().job_number(environment), environment.get("LSB_JOBINDEX", "0")
        return number if not number or index == "0" else f"{number}[{index}]"

    def end_questions(self, number: str) -> list[list[str]]:
        return [["bjobs", "-noheader", "-o", _BJOBS_FIELDS, "-hms", number]]

    def read_end(self, answer: str, *, now: float) -> float | None:
        """`RUN_TIME|RUNTIMELIMIT|TIME_LEFT`, each as hh:mm:ss, `75 second(s)`, or minutes; `-` where there is none.

        The end is the earlier one of the limit less the time used, and of the time left where that comes from a limit
        (`L`): a limit is normalised by the host's CPU factor unless ABS_RUNLIMIT is set, and time left is in minutes.
        """
        for line in answer.splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 3:
                continue
            used_s, limit_s = _seconds(fields[0]), _seconds(fields[1].partition("/")[0])
            left_text, _, status = fields[2].partition(" ")
            ends = []
            if used_s is not None and limit_s is not None:
                ends.append(now + limit_s - used_s)
            if status == "L" and (left_s := clock_seconds(left_text)) is not None:
                ends.append(now + left_s)
            return min(ends, default=None)
        return None

    def provider(self, configuration: Configuration, blocks: dict[str, Any]) -> ExecutionProvider:
        """Nodes are asked for by -nnodes on IBM's CSM systems; elsewhere by slots and GPUs per host."""
        from parsl.providers import LSFProvider

        from hpc_nas.platforms.providers import polled_often

        platform, cores = configuration.platform, cores_asked_for(configuration)
        whole_nodes = platform.node_launcher == NodeLauncher.JSRUN
        gpus = (
            [f'-gpu "num={platform.gpus_per_node}/host"']
            if platform.gpus_per_node and not whole_nodes
            else []
        )
        return polled_often(LSFProvider)(
            project=platform.account,
            queue=platform.queue,
            request_by_nodes=whole_nodes,
            cores_per_block=platform.num_nodes * cores,
            cores_per_node=cores,
            bsub_redirection=True,  # bsub reads #BSUB lines from its input alone
            scheduler_options=directives(self.prefix, [*gpus, *platform.directives]),
            **blocks,
        )


def _nodes(configuration: Configuration) -> list[str]:
    platform, cores = configuration.platform, cores_asked_for(configuration)
    if platform.node_launcher == NodeLauncher.JSRUN:
        return [f"-nnodes {platform.num_nodes}"]
    gpus = given('-gpu "num={}/host"', platform.gpus_per_node or None)
    return [f"-n {platform.num_nodes * cores}", f'-R "span[ptile={cores}]"', *gpus]


def _seconds(text: str) -> float | None:
    if found := re.fullmatch(r"([\d.]+) second\(s\)", text):
        return float(found.group(1))
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) * MINUTE_S
    return clock_seconds(text)


def _minutes(seconds: float) -> int:
    """LSF counts in minutes; never less than was asked for."""
    return math.ceil(seconds / MINUTE_S)


def _hours_minutes(seconds: int) -> str:
    minutes = _minutes(seconds)
    return f"{minutes // 60}:{minutes % 60:02d}"
