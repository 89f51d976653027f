"""Runs one worker group as a child and sees to its end; this is the task that Parsl places on a node.

The group must not outlive its supervisor (parent-death signal), nor hang: it is killed when its estimator rank
has not touched the group's `alive` file for `orphan_grace_s`, and when one of its ranks has died without the
launcher ending the others (seen with MPICH's hydra, rarely).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import Configuration, read_configuration
from hpc_nas.group.warden import die_with_parent
from hpc_nas.platforms.launch_line import group_environment, group_line
from hpc_nas.records.run_directory import RunDirectory

POLL_S = 0.05
LAUNCHER_CLEANUP_S = 2.0


@dataclass(frozen=True, kw_only=True)
class GroupExit:
    """How the launch of a group ended."""

    group: int
    exit_code: int
    killed: str  # why the supervisor killed a group that hung or lost its pool; empty if it did not


def run_group(run_dir: str, group: int) -> GroupExit:
    """Launch group number `group` of a run and wait for its end. Raises LaunchError without an mpiexec."""
    run_directory = RunDirectory.open(Path(run_dir))
    configuration = read_configuration(run_directory.configuration_path)
    group_dir = run_directory.group_dir(group)
    line = group_line(configuration, run_dir=Path(run_dir), group=group, group_dir=group_dir)
    alive = run_directory.alive_path(group)
    alive.touch()
    with open(run_directory.launch_log_path(group), "ab") as log:
        process = subprocess.Popen(
            line,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=group_environment(configuration, inherited=os.environ),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            killed = _wait(process, alive=alive, configuration=configuration)
        finally:
            _kill_session(process)
    return GroupExit(group=group, exit_code=process.returncode, killed=killed)


def _wait(process: subprocess.Popen[bytes], *, alive: Path, configuration: Configuration) -> str:
    section = configuration.group
    pool = os.getppid()
    first_death: float | None = None
    stamp, since = (0.0, 0), time.monotonic()
    while process.poll() is None:
        if os.getppid() != pool:
            return "the worker pool that started it has died"
        status = alive.stat()
        # By this process's own clock: the file's may be another host's.
        if stamp != (status.st_mtime, status.st_size):
            stamp, since = (status.st_mtime, status.st_size), time.monotonic()
        # Empty until the estimator rank's first beat: the start may take long on a shared file system.
        limit_s = section.orphan_grace_s if status.st_size else section.start_timeout_s
        if (age_s := time.monotonic() - since) > limit_s:
            return f"its estimator rank gave no sign of life for {age_s:.0f} s"
        if first_death is None and any(alive.parent.glob("died-*.json")):
            first_death = time.monotonic()
        if first_death is not None and time.monotonic() - first_death > LAUNCHER_CLEANUP_S:
            return ""  # only what the launcher should have done; the rank's own trace says the rest
        time.sleep(POLL_S)
    return ""


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=2.0)
            return
        except subprocess.TimeoutExpired:
            continue
