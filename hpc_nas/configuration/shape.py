"""Does the campaign's shape fit the platform? Asked before anything is submitted, so that no node-hour is spent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpc_nas.configuration.platform import NodeLauncher, Placement, Scheduler

if TYPE_CHECKING:
    from hpc_nas.configuration.schema import Configuration

START_S = 20.0  # a group's start (Python, torch, data) and a first interval, at the very least

_OWNERS = {
    NodeLauncher.SRUN: Scheduler.SLURM,
    NodeLauncher.JSRUN: Scheduler.LSF,
    NodeLauncher.BLAUNCH: Scheduler.LSF,
    NodeLauncher.MPIEXEC: Scheduler.PBS,
}


def problems(configuration: Configuration) -> Iterator[str]:
    """What can't be, each as `[table]: what was seen; what to do`; nothing when the shape is possible."""
    for check in (_gpus, _devices, _cores, _scheduler, _nodes, _blocks, _walltime, _finalists):
        yield from check(configuration)


def _gpus(configuration: Configuration) -> Iterator[str]:
    gpus, section = configuration.platform.gpus_per_node, configuration.group
    share, groups, trainers = section.gpu_share, section.groups_per_node, section.trainers_per_node
    if gpus == 0 or groups * section.gpus_per_group <= gpus:
        return
    each = gpus // groups  # groups share no GPU
    advice = (
        f"use trainers_per_node = {each * share}, or gpu_share = {-(-trainers // each)}"
        if each
        else f"each group needs a GPU of its own: use groups_per_node = {gpus} at most"
    )
    yield (
        f"[group]: {groups} group(s) of trainers_per_node = {trainers} but the platform has {gpus} GPUs per "
        f"node and gpu_share = {share}; {advice}"
    )


def _devices(configuration: Configuration) -> Iterator[str]:
    platform = configuration.platform
    if platform.gpus_per_node == 0 or configuration.group.groups_per_node == 1:
        return
    for variable in type(platform.device_variable):
        if variable in platform.environment:
            yield (
                f"[platform]: environment sets {variable} for every rank, but "
                f"{configuration.group.groups_per_node} groups share a node and would all train on those GPUs; "
                "leave it out: each group is shown its own"
            )


def _cores(configuration: Configuration) -> Iterator[str]:
    cores, section = configuration.platform.cores_per_node, configuration.group
    if cores is None or (needed := configuration.cores_used_per_node) <= cores:
        return
    threads = (cores // section.groups_per_node - 1) // section.trainers_per_node
    advice = (
        f"use threads_per_rank = {threads}" if threads else "use fewer trainers_per_node or groups_per_node"
    )
    yield (
        f"[group]: {section.groups_per_node} group(s) of {section.trainers_per_node} trainers with "
        f"threads_per_rank = {section.threads_per_rank}, and an estimator each, take {needed} cores, but the "
        f"platform says cores_per_node = {cores}; {advice}"
    )


def _scheduler(configuration: Configuration) -> Iterator[str]:
    platform = configuration.platform
    scheduler = platform.scheduler
    owner = _OWNERS.get(platform.node_launcher)
    if owner is not None and owner != scheduler:
        allowed = ", ".join(str(one) for one in NodeLauncher if _OWNERS.get(one, scheduler) == scheduler)
        yield (
            f"[platform]: node_launcher = {str(platform.node_launcher)!r} belongs to scheduler = {str(owner)!r}, "
            f"not to {str(scheduler)!r}; use {allowed}"
        )
    if scheduler == Scheduler.NONE:
        for key in ("account", "queue", "qos", "constraint", "directives"):
            if getattr(platform, key):
                yield (
                    f"[platform]: {key} = {getattr(platform, key)!r} but there is no scheduler to tell it to; "
                    "set scheduler, or leave it out"
                )
    elif scheduler != Scheduler.SLURM:
        for key in ("qos", "constraint"):
            if getattr(platform, key) is not None:
                yield (
                    f"[platform]: {key} = {getattr(platform, key)!r} is Slurm's alone, and scheduler = "
                    f"{str(scheduler)!r}; say it in directives, in that scheduler's words"
                )


def _nodes(configuration: Configuration) -> Iterator[str]:
    platform = configuration.platform
    if platform.num_nodes == 1:
        return
    if platform.scheduler == Scheduler.NONE:
        yield (
            f"[platform]: num_nodes = {platform.num_nodes} but scheduler = 'none' is this machine alone; set "
            "scheduler, or num_nodes = 1"
        )
    elif platform.node_launcher == NodeLauncher.NONE:
        allowed = ", ".join(str(one) for one, owner in _OWNERS.items() if owner == platform.scheduler)
        yield (
            f"[platform]: num_nodes = {platform.num_nodes} but node_launcher = 'none' reaches the first node "
            f"alone; use {allowed}"
        )


def _blocks(configuration: Configuration) -> Iterator[str]:
    platform = configuration.platform
    if platform.placement == Placement.SCRIPT:
        if platform.num_blocks > 1:
            yield (
                f"[platform]: num_blocks = {platform.num_blocks} but with placement = 'script' the campaign runs "
                "inside one allocation; use num_blocks = 1, or placement = 'blocks'"
            )
        return
    if platform.scheduler == Scheduler.NONE:
        yield (
            "[platform]: placement = 'blocks' but scheduler = 'none' takes no jobs; set scheduler, or use "
            "placement = 'script'"
        )
    elif platform.walltime is None:
        yield (
            "[platform]: placement = 'blocks' without walltime: every block is submitted with a time limit; set "
            'walltime = "HH:MM:SS"'
        )


def _walltime(configuration: Configuration) -> Iterator[str]:
    limit_s = configuration.platform.walltime_s
    if limit_s is None:
        return
    end_s = max(configuration.warn_s, configuration.group.drain_s)
    if limit_s < end_s + START_S:
        yield (
            f"[platform]: walltime = {configuration.platform.walltime!r} leaves no time to train: the end takes "
            f"{end_s:g} s (warn_s, drain_s) and a start with one interval {START_S:g} s at least; use "
            f"{_clock(end_s + START_S)} or more, or lower [platform] warn_s and [group] drain_s"
        )


def _finalists(configuration: Configuration) -> Iterator[str]:
    budget, interval = configuration.finalists.max_epochs, configuration.training.epochs_per_interval
    count = 1.0 if budget is None else budget / interval
    if count < 1 or abs(count - round(count)) > 1e-9:
        yield (
            f"[finalists]: max_epochs = {budget} is not a whole number of intervals of {interval:g} epochs "
            f"([training] epochs_per_interval); use {max(1, round(count)) * interval:g}"
        )


def _clock(seconds: float) -> str:
    """Seconds, rounded up to a minute, as HH:MM:SS: schedulers count in minutes."""
    minutes = -(-int(seconds) // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
