"""What a job asks of its scheduler, in that scheduler's own words: one option per entry, without the `#` prefix.

Each was checked against the vendor's documentation; the references stand beside the stored scripts in
`tests/unit/platforms/stored/scripts/`.
"""

from __future__ import annotations

import math
from pathlib import Path

from hpc_nas.configuration import Configuration, DeviceVariable, NodeLauncher


def slurm_options(configuration: Configuration, jobs_dir: Path) -> list[str]:
    """For `#SBATCH`. One task per node: the node launcher starts one process on each, and that starts the ranks.

    A job that loses a node goes on with the others (`--no-kill`); one that loses the node of its script is queued
    again under its old number (`--requeue`), and its output is not written over.
    """
    platform = configuration.platform
    return [
        f"--job-name={configuration.campaign.name}",
        f"--output={jobs_dir}/slurm-%j.out",
        f"--nodes={platform.num_nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={_cores(configuration)}",
        *_given("--gpus-per-node={}", platform.gpus_per_node or None),
        *_given("--time={}", platform.walltime),
        *_given("--account={}", platform.account),
        *_given("--partition={}", platform.queue),
        *_given("--qos={}", platform.qos),
        *_given("--constraint={}", platform.constraint),
        f"--signal=B:USR1@{math.ceil(configuration.warn_s)}",
        "--no-kill",
        "--requeue",
        "--open-mode=append",
    ]


def lsf_options(configuration: Configuration, jobs_dir: Path) -> list[str]:
    """For `#BSUB`. With jsrun, nodes are asked for as on IBM's CSM systems (Summit); elsewhere as slots."""
    platform = configuration.platform
    name = configuration.campaign.name
    return [
        f"-J {name}",
        f"-o {jobs_dir}/lsf-%J.out",
        *(_csm_nodes if platform.node_launcher == NodeLauncher.JSRUN else _lsf_nodes)(configuration),
        *_given("-W {}", None if platform.walltime_s is None else _hours_minutes(platform.walltime_s)),
        *_given("-P {}", platform.account),
        *_given("-q {}", platform.queue),
        "-wa USR2",
        f"-wt {_minutes(configuration.warn_s)}",
        "-r",
    ]


def pbs_options(configuration: Configuration, jobs_dir: Path) -> list[str]:
    """For `#PBS`. No warning can be asked for: the campaign's own clock ends it before the limit's SIGTERM."""
    platform = configuration.platform
    chunk = [f"ncpus={_cores(configuration)}", "mpiprocs=1"]  # one line per node in $PBS_NODEFILE
    if platform.device_variable != DeviceVariable.ZE:  # it counts tiles, which are no GPUs to PBS
        chunk += _given("ngpus={}", platform.gpus_per_node or None)
    return [
        f"-N {configuration.campaign.name}",
        f"-l select={platform.num_nodes}:{':'.join(chunk)}",
        "-l place=scatter",
        *_given("-l walltime={}", platform.walltime),
        *_given("-A {}", platform.account),
        *_given("-q {}", platform.queue),
        "-S /bin/bash",
        "-j oe",
        "-k doe",  # written where it belongs while the job runs, not copied there after its end
        f"-o {jobs_dir}/",
        "-r y",
    ]


def _csm_nodes(configuration: Configuration) -> list[str]:
    return [f"-nnodes {configuration.platform.num_nodes}"]


def _lsf_nodes(configuration: Configuration) -> list[str]:
    platform, cores = configuration.platform, _cores(configuration)
    gpus = _given('-gpu "num={}/host"', platform.gpus_per_node or None)
    return [f"-n {platform.num_nodes * cores}", f'-R "span[ptile={cores}]"', *gpus]


def _cores(configuration: Configuration) -> int:
    """Cores asked for on each node: all that it has, or as many as the ranks keep busy where that is not said."""
    return configuration.platform.cores_per_node or configuration.cores_used_per_node


def _given(pattern: str, value: object) -> list[str]:
    return [] if value is None else [pattern.format(value)]


def _minutes(seconds: float) -> int:
    """LSF counts in minutes; never less than was asked for."""
    return math.ceil(seconds / 60)


def _hours_minutes(seconds: int) -> str:
    minutes = _minutes(seconds)
    return f"{minutes // 60}:{minutes % 60:02d}"
