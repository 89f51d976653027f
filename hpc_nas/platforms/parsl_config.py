"""Parsl configurations from a platform: who starts worker groups where."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

from hpc_nas.configuration import Configuration, Placement, Scheduler
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import python_line
from hpc_nas.platforms.addresses import LOOPBACK, listening_addresses
from hpc_nas.platforms.devices import group_devices
from hpc_nas.platforms.providers import IGNORE_NOTICES, SCRIPTS_DIR, make_provider

EXECUTOR_LABEL = "groups"


def parsl_config(configuration: Configuration, *, parsl_dir: Path) -> Config:
    """One manager on each node, with one Parsl worker for each group of the node.

    `retries = 0`: the campaign resubmits groups itself, with backoff, since it alone knows who is charged.
    The heartbeats let the worker pool leave within the grace time when the campaign is killed; `parent_death` ends
    the interchange at once; the pool wrapper ends what a killed pool leaves behind.
    `parsl_dir` has a path that needs no quoting (`parsl_directory`); what starts a pool is written there.
    Raises LaunchError when the GPUs granted on this node, where it is to be the only one, are too few.
    """
    if configuration.platform.scheduler == Scheduler.NONE:
        group_devices(configuration, granted=os.environ)
    return Config(
        executors=[_executor(configuration, parsl_dir=parsl_dir)],
        run_dir=str(parsl_dir),
        retries=0,
        strategy="simple",  # starts another block when one has died
        strategy_period=2,
        initialize_logging=False,
    )


def _executor(configuration: Configuration, *, parsl_dir: Path) -> HighThroughputExecutor:
    addresses = listening_addresses(configuration)
    executor = HighThroughputExecutor(
        label=EXECUTOR_LABEL,
        # Where the interchange listens. None would do, but Parsl would ask an address service on the internet.
        address=LOOPBACK if addresses == [LOOPBACK] else "0.0.0.0",
        loopback_address=LOOPBACK,
        max_workers_per_node=configuration.group.groups_per_node,
        cores_per_worker=1e-3,
        # Parsl would split logical CPUs, siblings among different groups, and export GOMP_CPU_AFFINITY, by
        # which all ranks of a group would run on its first cores. Ranks check their own.
        cpu_affinity="none",
        heartbeat_period=2,
        heartbeat_threshold=max(4, int(configuration.group.orphan_grace_s / 3)),
        poll_period=20,
        drain_period=_drain_period(configuration),
        launch_cmd=_pool_command(configuration, parsl_dir=parsl_dir),
        interchange_launch_cmd=_ours("parent_death.py", *python_line(str(SCRIPTS_DIR / "interchange.py"))),
        worker_logdir_root=str(parsl_dir),
        provider=make_provider(configuration),
        encrypted=True,
        # Parsl's own would give the executor up for good once its only block has died.
        block_error_handler=False,
    )
    executor.all_addresses = set(addresses)  # those that worker pools try, all at once
    return executor


def _pool_command(configuration: Configuration, *, parsl_dir: Path) -> str:
    """Starts a node's worker pool under the pool wrapper; all by their paths, for PATH may not reach the node.

    By a script of its own, since launchers put the command into here-documents and quote it again: the paths in the
    script may hold anything. The pool leaves a third of the grace time after its campaign; groups have then half of
    it to leave in order.
    """
    grace_s = configuration.group.orphan_grace_s / 2
    pool = _ours("pool.py", str(SCRIPTS_DIR / "process_worker_pool.py"))
    line = shlex.join(_ours("pool_wrapper.py", "--grace", f"{grace_s:g}", *pool))
    script = parsl_dir / "pool.sh"
    try:
        script.write_text(f'#!/bin/bash\nexec {line} "$@"\n', encoding="utf-8")
    except OSError as error:
        raise LaunchError(f"{script} can't be written: {error.strerror}") from error
    arguments = DEFAULT_LAUNCH_CMD.partition(" ")[2]
    return f"{IGNORE_NOTICES}; bash {script} {arguments}"


def _ours(script: str, *arguments: str) -> list[str]:
    """A script of `processes`, run by its path."""
    return python_line(str(Path(__file__).parent / "processes" / script), *arguments)


def _drain_period(configuration: Configuration) -> int | None:
    """A block takes no new group once that could no longer do anything before the block's end."""
    limit_s = configuration.platform.walltime_s
    if configuration.platform.placement != Placement.BLOCKS or limit_s is None:
        return None
    return max(1, int(limit_s - configuration.warn_s))
