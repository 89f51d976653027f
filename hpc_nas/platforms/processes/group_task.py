"""Runs one worker group on this node; this is the task that Parsl places there.

The group is held by a process of its own, the agent (`agent`), which lives on when Parsl's worker is killed, long
enough to let the group leave in order. Here its end is awaited, what the node is told is passed on to it, and its
work is done if it is itself killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from hpc_nas.configuration import Configuration, read_configuration
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import python_line
from hpc_nas.platforms.processes.excluded_nodes import hold_slot, node_name, reason_to_hold
from hpc_nas.platforms.processes.group_status import (
    GroupExit,
    GroupStatus,
    from_line,
    publish_status,
    read_status,
)
from hpc_nas.platforms.processes.leftover_processes import end_leftovers
from hpc_nas.platforms.scratch import clear_watch_directories, run_scratch
from hpc_nas.platforms.walltime import DEADLINE_VARIABLE, find_deadline
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

__all__ = ["GroupExit", "run_group"]

POLL_S = 0.05
_PASSED_ON = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def run_group(run_dir: str, group: int) -> GroupExit:
    """Launch group number `group` of a run and wait for its end, or park. Raises LaunchError without an mpiexec."""
    run_directory = RunDirectory.open(Path(run_dir))
    configuration = read_configuration(run_directory.configuration_path)
    host = node_name(os.environ)
    pool = os.getppid()
    deadline_time = find_deadline(configuration, environment=os.environ, now=time.time())
    with _signals() as received:

        def released() -> bool:
            return bool(received) or os.getppid() != pool

        def reason() -> str:
            return reason_to_hold(
                configuration,
                run_directory=run_directory,
                host=host,
                deadline_time=deadline_time,
                now=time.time(),
            )

        if reason():
            files = GroupFiles(run_directory=run_directory, group=group)
            return hold_slot(files, host=host, reason=reason, released=released)
        agent = _start_agent(run_directory, group=group, deadline_time=deadline_time)
        said = _hear_out(agent, received=received, pool=pool)
    if (exit := from_line(said)) is not None:
        return exit
    if agent.returncode == 2:
        raise LaunchError(said.decode(errors="replace"))
    return _stand_in(agent.returncode, run_directory=run_directory, group=group, configuration=configuration)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals received meanwhile; none where this is not the main thread, which alone may listen."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def take(signum: int, frame: FrameType | None) -> None:
        received.append(signum)

    before = {signum: signal.signal(signum, take) for signum in _PASSED_ON}
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _start_agent(
    run_directory: RunDirectory, *, group: int, deadline_time: float | None
) -> subprocess.Popen[bytes]:
    known = {} if deadline_time is None else {DEADLINE_VARIABLE: str(deadline_time)}
    command = python_line("-m", "hpc_nas.platforms.processes.group_agent", str(run_directory.path))
    with open(run_directory.launch_log_path(group), "ab") as log:
        return subprocess.Popen(
            [*command, "--group", str(group), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **known},  # asked for once: the answer may have taken the scheduler a while
            start_new_session=True,  # what is sent to the worker pool's process group is passed on, not shared
        )


def _hear_out(agent: subprocess.Popen[bytes], *, received: list[int], pool: int) -> bytes:
    """Wait for the agent's end, passing on each signal, and the death of the worker pool; what it said."""
    orphaned = False
    while True:
        try:
            said, _ = agent.communicate(timeout=POLL_S)
            return said
        except subprocess.TimeoutExpired:
            if not orphaned and os.getppid() != pool:
                orphaned = True
                agent.send_signal(signal.SIGHUP)
            while received:
                signum = received.pop(0)
                if not orphaned:  # else it is the pool's death that the kernel tells (`pool`)
                    agent.send_signal(signum)


def _stand_in(
    returncode: int, *, run_directory: RunDirectory, group: int, configuration: Configuration
) -> GroupExit:
    """The agent was killed: end what it kept, and drain what it had not."""
    end_leftovers(run_directory.path, group=group)
    files = GroupFiles(run_directory=run_directory, group=group)
    with suppress(LaunchError):
        clear_watch_directories(run_directory)
        parent = run_scratch(configuration, run_directory=run_directory, environment=os.environ)
        if parent is not None:
            from hpc_nas.platforms.drains import rescue  # HDF5 takes a quarter of a second

            rescue(parent, run_directory=run_directory)
    status = read_status(files.status_path)
    local_dir = "" if status is None else status.local_dir or ""
    how = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
    exit = GroupExit(
        group=group,
        exit_code=returncode,
        killed=f"its agent ended with {how}, and the group with it",
        host=node_name(os.environ),
        undrained=local_dir if local_dir and Path(local_dir).exists() else "",
    )
    ended = GroupStatus(group=group, host=exit.host, pid=os.getpid(), state="ended", exit=exit)
    publish_status(files, ended)
    return exit
