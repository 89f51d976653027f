"""Parsl's providers and launchers for a platform: what a block is, and what starts a manager on each of its nodes.

Parsl asks a provider about its blocks every `status_polling_interval` seconds, 60 in its batch providers and no
argument of theirs: a lost block counts as running for so long, and is not replaced. It is a few seconds here
(docs/platforms.md has the figures and the lines of Parsl).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from parsl.launchers import JsrunLauncher, MpiExecLauncher, SimpleLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider
from parsl.providers.base import ExecutionProvider
from parsl.providers.cluster_provider import ClusterProvider

from hpc_nas.configuration import Configuration, NodeLauncher, Placement
from hpc_nas.platforms.scheduler import SCHEDULERS

SCRIPTS_DIR = Path(sys.executable).parent
POLL_BLOCKS_S = 5
# A scheduler may warn every process of a job. Groups and the campaign heed it; the shells and launchers above groups
# must not die of it.
IGNORE_NOTICES = "trap '' USR1 USR2"


def polled_often(provider: type[ClusterProvider]) -> Callable[..., ClusterProvider]:
    """The provider, asking about its blocks every few seconds: one command of the scheduler for all of them."""
    return type(provider.__name__, (provider,), {"status_polling_interval": POLL_BLOCKS_S})


class BlaunchLauncher(Launcher):
    """One manager per host by LSF's own blaunch; $LSB_DJOB_HOSTFILE names a host once for each of its slots.

    https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=reference-blaunch
    """

    def __init__(self) -> None:
        super().__init__()

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        hosts = 'hosts=$(sort -u "$LSB_DJOB_HOSTFILE" | paste -s -d " ")'
        return f'{hosts}\nblaunch -z "$hosts" /bin/bash -c {shlex.quote(command)}\n'


def make_provider(configuration: Configuration) -> ExecutionProvider:
    """One block inside the allocation that this process runs in, or as many as the platform says, as jobs."""
    platform = configuration.platform
    if platform.placement == Placement.SCRIPT:
        return LocalProvider(  # type: ignore[no-untyped-call]
            init_blocks=1,
            min_blocks=1,
            max_blocks=1,
            nodes_per_block=platform.num_nodes,
            launcher=make_launcher(configuration),
            worker_init=_worker_init(configuration),
        )
    blocks = {
        "init_blocks": platform.num_blocks,
        "min_blocks": platform.num_blocks,
        "max_blocks": platform.num_blocks,
        "nodes_per_block": platform.num_nodes,
        "walltime": _whole_minutes(platform.walltime_s or 0),
        "launcher": make_launcher(configuration),
        "worker_init": _worker_init(configuration),
    }
    return SCHEDULERS[platform.scheduler].provider(configuration, blocks)


def make_launcher(configuration: Configuration) -> Launcher:
    """What starts a manager on each node of a block, each of which sees all that its node has."""
    match configuration.platform.node_launcher:
        case NodeLauncher.SRUN:
            return SrunLauncher(overrides=_srun_options(configuration))
        case NodeLauncher.JSRUN:
            return JsrunLauncher(overrides="-a 1 -c ALL_CPUS -g ALL_GPUS -b none")
        case NodeLauncher.BLAUNCH:
            return BlaunchLauncher()
        case NodeLauncher.MPIEXEC:
            return MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")
        case NodeLauncher.NONE:
            return SimpleLauncher()


def _srun_options(configuration: Configuration) -> str:
    """For `srun --ntasks N -l`; what the platform does not say is asked where the block's script runs.

    Since Slurm 22.05 srun no longer inherits --cpus-per-task: without it a group would have one core. --overlap:
    other steps of the job are neither kept waiting nor in the way. The step goes on when a node or a manager dies,
    and does not end a while after the first one that does (--wait, which a site may have set).
    """
    platform = configuration.platform
    cores = platform.cores_per_node or f"${{SLURM_CPUS_ON_NODE:-{configuration.cores_used_per_node}}}"
    options = [
        f"--nodes={platform.num_nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={cores}",
        "--cpu-bind=none",
        "--mem=0",
        "--mpi=none",
        "--overlap",
        "--no-kill",
        "--kill-on-bad-exit=0",
        "--wait=0",
        "--export=ALL",
    ]
    if platform.gpus_per_node:
        options += [f"--gpus-per-node={platform.gpus_per_node}", "--gpu-bind=none"]
    return " ".join(options)


def _worker_init(configuration: Configuration) -> str:
    """The platform's shell lines, before the launcher; what they set reaches the nodes through it.

    The site's mpiexec reaches the nodes, and not the one beside this Python, which an activated environment has
    put before it.
    """
    lines = list(configuration.platform.setup)
    if configuration.platform.placement == Placement.SCRIPT:
        lines.append(IGNORE_NOTICES)
    if configuration.platform.node_launcher == NodeLauncher.MPIEXEC:
        ours = shlex.quote(str(SCRIPTS_DIR))
        lines.append(f'export PATH="$(printf %s "$PATH" | tr : "\\n" | grep -vxF {ours} | paste -s -d :)"')
    return "\n".join(lines)


def _whole_minutes(seconds: int) -> str:
    """Parsl drops the seconds: a limit of 90 s would become one minute."""
    minutes = -(-seconds // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
