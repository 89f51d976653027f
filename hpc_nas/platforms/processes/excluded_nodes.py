"""Nodes on which no group is to start: a group task that finds itself there only holds its slot.

Parsl can't be told to avoid a node. A group task that holds its slot without using it does just that: Parsl places
the next group elsewhere.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping

from hpc_nas.configuration import Configuration
from hpc_nas.platforms.processes.group_status import GroupExit, GroupStatus, publish_status
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

START_S = 5.0  # no group comes to its first batch sooner
LOOK_S = 10.0  # the list lies on the shared file system
POLL_S = 0.1


def node_name(environment: Mapping[str, str]) -> str:
    """The scheduler's name of this node, or the host's own."""
    return environment.get("SLURMD_NODENAME") or socket.gethostname()


def excluded_nodes(run_directory: RunDirectory) -> frozenset[str]:
    """The nodes that the campaign has given up; none where the list is missing or can't be read."""
    try:
        content = json.loads(run_directory.excluded_nodes_path.read_bytes())
    except (OSError, ValueError):
        return frozenset()
    return frozenset(map(str, content)) if isinstance(content, list) else frozenset()


def publish_excluded_nodes(run_directory: RunDirectory, nodes: frozenset[str]) -> None:
    """Raises RunDirectoryError."""
    run_directory.publish(run_directory.excluded_nodes_path, json.dumps(sorted(nodes)))


def reason_to_hold(
    configuration: Configuration,
    *,
    run_directory: RunDirectory,
    host: str,
    deadline_time: float | None,
    now: float,
) -> str:
    """Why no group may start on this node now; empty if one may."""
    if host in excluded_nodes(run_directory):
        return f"node {host} is excluded"
    if deadline_time is not None and (left_s := deadline_time - now) < configuration.group.drain_s + START_S:
        return f"the allocation of node {host} ends in {max(0.0, left_s):.0f} s"
    return ""


def hold_slot(
    files: GroupFiles, *, host: str, reason: Callable[[], str], released: Callable[[], bool]
) -> GroupExit:
    """Hold Parsl's slot until `released`, or until there is no reason any more."""
    status = GroupStatus(group=files.group, host=host, pid=os.getpid(), state="holding", why=reason())
    publish_status(files, status)
    next_look = time.monotonic() + LOOK_S
    while not released():
        if time.monotonic() > next_look:
            if not reason():
                break
            next_look = time.monotonic() + LOOK_S
        time.sleep(POLL_S)
    exit = GroupExit(
        group=files.group, exit_code=0, killed="", host=host, told=f"holds its slot: {status.why}"
    )
    publish_status(files, status.model_copy(update={"state": "ended", "exit": exit}))
    return exit
