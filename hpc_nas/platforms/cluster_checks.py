"""The doctor's checks of a cluster: is the scheduler that the platform wants there, and does it answer; scratch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping

from hpc_nas.configuration import Configuration, NodeLauncher, Placement, Scheduler
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.finding import Finding
from hpc_nas.platforms.scheduler import SCHEDULERS, BatchScheduler, current_job
from hpc_nas.platforms.walltime import find_deadline

ANSWER_WITHIN_S = 15.0
MAX_RANKS_PER_CORE = 64


def is_elsewhere(configuration: Configuration, *, environment: Mapping[str, str]) -> bool:
    """Are the platform's nodes other machines than this one, which is no part of a job?"""
    return configuration.platform.scheduler != Scheduler.NONE and current_job(environment) is None


def check_inside(configuration: Configuration, *, environment: Mapping[str, str]) -> None:
    """Raises LaunchError for a campaign that runs in an allocation and is started outside of one, and for one on this
    machine alone with far more ranks than it has cores: they would take turns until all of them count as hung.
    """
    platform = configuration.platform
    cores = len(os.sched_getaffinity(0))
    ranks = configuration.group.groups_per_node * configuration.world_size
    if platform.scheduler == Scheduler.NONE and ranks > MAX_RANKS_PER_CORE * cores:
        raise LaunchError(
            f"[group]: {configuration.group.groups_per_node} group(s) of trainers_per_node = "
            f"{configuration.group.trainers_per_node} and an estimator each are {ranks} ranks on this machine's "
            f"{cores} cores; at most {MAX_RANKS_PER_CORE} on each core are allowed: lower trainers_per_node, or "
            "groups_per_node"
        )
    if platform.placement == Placement.BLOCKS or platform.node_launcher == NodeLauncher.NONE:
        return
    if is_elsewhere(configuration, environment=environment):
        raise LaunchError(
            f"platform {platform.name!r} runs campaigns inside a {SCHEDULERS[platform.scheduler].name} job, and this "
            "is none; "
            "use hpc-nas submit, start it inside of a job, or name another --platform with the campaign file "
            "(configs/platforms/local.toml)"
        )


def check_scheduler(configuration: Configuration, *, environment: Mapping[str, str]) -> Finding:
    """What the platform wants of a scheduler, and whether it is there and answers."""
    platform, path = configuration.platform, environment.get("PATH", "")
    found = [each.name for each in SCHEDULERS.values() if shutil.which(each.submit[0], path=path)]
    if platform.scheduler == Scheduler.NONE:
        there = f"{', '.join(found)} found" if found else "none found"
        return Finding(
            name="scheduler", status="OK", detail=f"{there}: campaigns run on this machine alone, as asked"
        )
    name = SCHEDULERS[platform.scheduler].name
    wanted = _wanted(configuration)
    missing = [
        command for command in _commands(configuration, environment) if not shutil.which(command, path=path)
    ]
    if missing:
        advice = f"load the module that brings {name}'s commands, or run this on that machine"
        return Finding(
            name="scheduler",
            status="FAIL",
            detail=f"{wanted}; no {', '.join(missing)} on PATH",
            advice=advice,
        )
    if problem := _ping(SCHEDULERS[platform.scheduler], environment=environment):
        advice = f"ask {name}'s administrators, or try again: nothing can be submitted as long as it does not answer"
        return Finding(name="scheduler", status="FAIL", detail=f"{wanted}; {problem}", advice=advice)
    return Finding(
        name="scheduler", status="OK", detail=f"{wanted}; it answers{_here(configuration, environment)}"
    )


def check_scratch(configuration: Configuration, *, environment: Mapping[str, str]) -> Finding:
    """Can the nodes' own directory be written here, where this is one of the nodes?"""
    scratch = configuration.platform.scratch
    if scratch is None:
        return Finding(
            name="scratch", status="OK", detail="none asked for: rank files go to the run directory"
        )
    if is_elsewhere(configuration, environment=environment):
        return Finding(
            name="scratch",
            status="OK",
            detail=f"{scratch} is the nodes' own: not tried from outside of a job",
        )
    advice = (
        "name a directory that can be written on every node; without it rank files go to the run directory"
    )
    expanded = re.sub(
        r"\$(\w+|\{\w+\})", lambda match: environment.get(match[1].strip("{}"), match[0]), scratch
    )
    if "$" in expanded:
        detail = f"{scratch} names a variable that is not set here"
        return Finding(name="scratch", status="WARN", detail=detail, advice=advice)
    try:
        with tempfile.TemporaryDirectory(dir=expanded):
            free = shutil.disk_usage(expanded).free
    except OSError as error:
        return Finding(
            name="scratch",
            status="WARN",
            detail=f"{expanded} can't be written: {error.strerror}",
            advice=advice,
        )
    return Finding(
        name="scratch", status="OK", detail=f"{expanded} can be written, {free / 2**30:.1f} GiB free"
    )


def _wanted(configuration: Configuration) -> str:
    platform = configuration.platform
    nodes = f"{platform.num_nodes} node(s)"
    if platform.placement == Placement.BLOCKS:
        what = f"{platform.num_blocks} block(s) of {nodes}, submitted from here"
    else:
        what = f"{nodes}, with the campaign in the job"
    limit = "" if platform.walltime is None else f", for {platform.walltime}"
    return f"the platform wants {SCHEDULERS[platform.scheduler].name}: {what}{limit}"


def _commands(configuration: Configuration, environment: Mapping[str, str]) -> list[str]:
    """What must be there: to submit, outside of a job; to reach the nodes, inside of one."""
    platform = configuration.platform
    if current_job(environment) is None:
        return [SCHEDULERS[platform.scheduler].submit[0]]
    return [] if platform.node_launcher == NodeLauncher.NONE else [str(platform.node_launcher)]


def _ping(scheduler: BatchScheduler, *, environment: Mapping[str, str]) -> str:
    """What is wrong with the scheduler's answer; empty if nothing is."""
    command = scheduler.ping
    program = shutil.which(command[0], path=environment.get("PATH", os.defpath))
    if program is None:
        return f"no {command[0]} on PATH"
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode != 0 or "DOWN" in done.stdout:
        return f"{' '.join(command)}: {said[-1] if said else 'no answer'}"
    return ""


def _here(configuration: Configuration, environment: Mapping[str, str]) -> str:
    job = current_job(environment)
    if job is None:
        return ""
    now = time.time()
    end = find_deadline(configuration, environment=environment, now=now)
    return f"; this is job {job.number}" + (
        "" if end is None else f", which ends in {(end - now) / 60:.0f} min"
    )
