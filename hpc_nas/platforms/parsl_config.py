"""Parsl configurations from a platform: who starts worker groups where."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError

EXECUTOR_LABEL = "groups"


def parsl_config(configuration: Configuration, *, parsl_dir: Path) -> Config:
    """One block on this machine, with one Parsl worker for each group.

    `retries = 0`: the campaign resubmits groups itself, with backoff, since it alone knows who is charged.
    The heartbeats let the worker pool leave within the grace time when the campaign is killed; the tether ends
    the interchange at once; the reaper ends what a killed pool leaves behind.
    """
    section = configuration.group
    tether = [sys.executable, str(Path(__file__).with_name("tether.py"))]
    reaper = [sys.executable, str(Path(__file__).with_name("reaper.py"))]
    scripts = Path(sys.executable).parent
    return Config(
        executors=[
            HighThroughputExecutor(
                label=EXECUTOR_LABEL,
                address="127.0.0.1",
                loopback_address="127.0.0.1",
                max_workers_per_node=section.groups_per_node,
                cores_per_worker=1e-3,
                available_accelerators=group_devices(
                    configuration, visible=os.environ.get("CUDA_VISIBLE_DEVICES")
                ),
                heartbeat_period=2,
                heartbeat_threshold=max(4, int(section.orphan_grace_s / 3)),
                poll_period=20,
                launch_cmd=f"{shlex.join(reaper)} {DEFAULT_LAUNCH_CMD}",
                interchange_launch_cmd=[*tether, str(scripts / "interchange.py")],
                worker_logdir_root=str(parsl_dir),
                provider=LocalProvider(  # type: ignore[no-untyped-call]
                    init_blocks=1,
                    min_blocks=1,
                    max_blocks=1,
                    launcher=SimpleLauncher(),
                    worker_init=f"export PATH={shlex.quote(str(scripts))}:$PATH",
                ),
                encrypted=True,
                # Parsl's own would give the executor up for good once its only block has died.
                block_error_handler=False,
            )
        ],
        run_dir=str(parsl_dir),
        retries=0,
        strategy="simple",  # starts another block when one has died
        strategy_period=2,
        initialize_logging=False,
    )


def group_devices(configuration: Configuration, *, visible: str | None) -> list[str]:
    """The GPUs of each group, as its CUDA_VISIBLE_DEVICES: `["0,1", "2,3"]`; no entries without GPUs.

    `visible` is the CUDA_VISIBLE_DEVICES that was granted, None where it is not set; Parsl would write over it.
    Raises LaunchError when it names fewer GPUs than the groups need.
    """
    gpus, groups = configuration.platform.gpus_per_node, configuration.group.groups_per_node
    if gpus == 0:
        return []
    each = configuration.group.gpus_per_group
    names = [str(index) for index in range(gpus)]
    if visible is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
        names = names[: names.index("-1")] if "-1" in names else names  # as CUDA does
    if len(names) < groups * each:
        raise LaunchError(
            f"CUDA_VISIBLE_DEVICES={visible} grants {len(names)} GPU(s), but {groups} group(s) of {each} need "
            f"{groups * each} (the platform file says {gpus} per node); ask the scheduler for more, or lower "
            "[group] trainers_per_node or groups_per_node"
        )
    return [",".join(names[group * each : (group + 1) * each]) for group in range(groups)]
