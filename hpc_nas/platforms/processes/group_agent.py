"""The agent of one worker group: launches it, watches it, drains its files, and is the last of it to leave.

A process of its own (`python -m hpc_nas.platforms.processes.group_agent RUN_DIR --group N --parent PID`), since Parsl
kills its workers a second after telling them to end, and a worker that is killed must not take a group's unsaved
work along. The group must not outlive its agent (parent-death signal), nor hang: it is killed when its estimator rank
has not touched the group's `alive` file for `orphan_grace_s`, when one of its ranks has died without the launcher
ending the others (seen with MPICH's hydra, rarely), and when it was told to leave and does not in time.

What is watched lies on the node (`GroupFiles.watch_dir`). The run directory is told at the start, every
`TELL_INTERVAL_S` that the group lives, and at the end how it ended and which ranks had died.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from hpc_nas.configuration import Configuration, read_configuration
from hpc_nas.errors import HpcNasError, RunDirectoryError
from hpc_nas.platforms.launch_line import group_environment, group_line
from hpc_nas.platforms.processes.agent_signals import AgentSignals
from hpc_nas.platforms.processes.excluded_nodes import node_name
from hpc_nas.platforms.processes.group_status import (
    TELL_INTERVAL_S,
    GroupExit,
    GroupStatus,
    publish_status,
    to_line,
)
from hpc_nas.platforms.processes.leftover_processes import end_leftovers
from hpc_nas.platforms.processes.rank_wrapper import die_with_parent
from hpc_nas.platforms.scratch import local_directory, watch_directory
from hpc_nas.platforms.walltime import find_deadline
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)

POLL_S = 0.05
LAUNCHER_CLEANUP_S = 2.0
KILL_S = 1.0
# On SIGUSR2 and SIGHUP hydra dies, on the others it may end its ranks; the agent lets them leave in order instead.
_KEPT_FROM_THE_GROUP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}


def keep(
    run_directory: RunDirectory, *, group: int, configuration: Configuration, orders: AgentSignals
) -> GroupExit:
    """Launch the group and stay until its end. Raises LaunchError without an MPI launcher."""
    host = node_name(os.environ)
    with ExitStack() as stack:
        local = stack.enter_context(
            local_directory(configuration, run_directory=run_directory, group=group, environment=os.environ)
        )
        if local.warning:
            logger.warning(local.warning)
        watched = stack.enter_context(watch_directory(local, run_directory=run_directory, group=group))
        if watched.warning:
            logger.warning(watched.warning)
        files = GroupFiles(
            run_directory=run_directory, group=group, local_dir=local.path, watch_dir=watched.path
        )
        status = GroupStatus(
            group=group,
            host=host,
            pid=os.getpid(),
            state="running",
            why=local.warning,
            local_dir=None if local.path is None else str(local.path),
        )
        publish_status(files, status)
        process = _launch(configuration, files=files)
        drains = None
        try:
            if local.path is not None:
                from hpc_nas.platforms.drains import Drains  # HDF5 takes a quarter of a second

                # Not before the launch: code that runs between fork and exec wants no second thread.
                drains = Drains(files, interval_s=configuration.platform.drain_interval_s)
                drains.start()
            killed = _watch(process, files=files, configuration=configuration, orders=orders)
        finally:
            _kill(process)
            end_leftovers(run_directory.path, group=group)
            _bring_evidence(files)
        undrained = "" if drains is None else drains.finish(within_s=_last_drain_s(configuration, orders))
        if undrained:
            logger.warning("group %d: not drained: %s", group, undrained)
        exit = GroupExit(
            group=group,
            exit_code=process.returncode,
            killed=killed,
            host=host,
            told=orders.why,
            undrained=undrained,
        )
        publish_status(files, status.model_copy(update={"state": "ended", "exit": exit}))
    return exit


def _last_drain_s(configuration: Configuration, orders: AgentSignals) -> float:
    grace_s = configuration.group.orphan_grace_s
    return grace_s / 8 if orders.orphaned else min(configuration.group.drain_s, grace_s)


def _launch(configuration: Configuration, *, files: GroupFiles) -> subprocess.Popen[bytes]:
    directory, group = files.run_directory, files.group
    line = group_line(
        configuration,
        run_dir=directory.path,
        group=group,
        watch_dir=files.watched_dir,
        deadline_time=find_deadline(configuration, environment=os.environ, now=time.time()),
        local_dir=files.local_dir,
    )
    directory.alive_path(group).touch()
    with open(directory.launch_log_path(group), "ab") as log:
        return subprocess.Popen(
            line,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=group_environment(configuration, inherited=os.environ),
            start_new_session=True,
            preexec_fn=partial(_shield, os.getpid()),
        )


def _shield(agent: int) -> None:
    """In the launcher, before it starts: it dies with its agent, and no signal to the allocation ends it."""
    die_with_parent(parent=agent)
    signal.pthread_sigmask(signal.SIG_BLOCK, _KEPT_FROM_THE_GROUP)


def _watch(
    process: subprocess.Popen[bytes], *, files: GroupFiles, configuration: Configuration, orders: AgentSignals
) -> str:
    """Until the launch has ended, or must be: why it must, or an empty text."""
    section = configuration.group
    sign = _Sign(files)
    first_death: float | None = None
    while process.poll() is None:
        now = time.monotonic()
        sign.look(now)
        orders.look()
        if orders.why:
            if not sign.begun:
                return f"{orders.why}, before it had begun"
            if now > orders.until:
                return f"{orders.why}, and it did not leave in time"
            _ask_to_leave(files, why=orders.why)
        # Empty until the estimator rank's first beat: the start may take long on a shared file system.
        limit_s = section.orphan_grace_s if sign.begun else section.start_timeout_s
        if (age_s := now - sign.since) > limit_s:
            return f"its estimator rank gave no sign of life for {age_s:.0f} s"
        if first_death is None and _has_dead_rank(files.watched_dir):
            first_death = now
        if first_death is not None and now - first_death > LAUNCHER_CLEANUP_S:
            return ""  # only what the launcher should have done; the rank's own trace says the rest
        time.sleep(POLL_S)
    return ""


class _Sign:
    """The estimator rank's sign of life: seen on the node, passed on to the run directory now and then.

    There the campaign that comes after this one, on another node, may look for it.
    """

    def __init__(self, files: GroupFiles):
        self._path = files.alive_path
        self._shared = files.run_directory.alive_path(files.group)
        self._stamp = (0, 0)
        self._next_word = 0.0
        self.begun = False
        self.since = time.monotonic()  # by this process's own clock

    def look(self, now: float) -> None:
        """See whether the file was touched again; where it can't be seen, it was not."""
        try:
            status = self._path.stat()
        except OSError:
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return
        self._stamp, self.since = stamp, now
        if stamp[1] == 0:
            return
        if now >= self._next_word:
            self._next_word = now + TELL_INTERVAL_S
            self._pass_on()
        self.begun = True

    def _pass_on(self) -> None:
        if self._path == self._shared:
            return
        with suppress(OSError):  # a shared file system that is away for a while ends no group
            if self.begun:
                os.utime(self._shared)
            else:
                self._shared.write_bytes(b"1")


def _has_dead_rank(watched_dir: Path) -> bool:
    with suppress(OSError):
        return any(watched_dir.glob("died-*.json"))
    return False


def _bring_evidence(files: GroupFiles) -> None:
    """What the wrappers of dead ranks have written, for the campaign to read: once, now that the group has ended."""
    group_dir = files.run_directory.group_dir(files.group)
    if files.watched_dir == group_dir:
        return
    for path in sorted(files.watched_dir.glob("died-*.json")):
        try:
            files.run_directory.publish(group_dir / path.name, path.read_bytes())
        except (RunDirectoryError, OSError) as error:
            logger.warning("group %d: %s can't be brought: %s", files.group, path.name, error)


def _ask_to_leave(files: GroupFiles, *, why: str) -> None:
    with suppress(OSError):  # where that fails it is killed in the end
        if files.leave_path.exists():
            return
        logger.info("group %d is told to leave: %s", files.group, why)
        files.leave_path.write_text(why, encoding="utf-8")


def _kill(process: subprocess.Popen[bytes]) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=KILL_S)


def main(arguments: list[str]) -> int:
    """Keep a group; the last line on standard output says how it ended, or why it could not begin."""
    parser = argparse.ArgumentParser(
        prog="python -m hpc_nas.platforms.processes.group_agent", description=__doc__
    )
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--group", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of the group task")
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s group {given.group} agent %(levelname)s %(message)s"
    )
    try:
        run_directory = RunDirectory.open(given.run_dir)
        configuration = read_configuration(run_directory.configuration_path)
        orders = AgentSignals(configuration, parent=given.parent)
        orders.listen()
        exit = keep(run_directory, group=given.group, configuration=configuration, orders=orders)
    except HpcNasError as error:
        logger.error("%s", error)
        sys.stdout.write(str(error))
        return 2
    with suppress(BrokenPipeError):
        sys.stdout.buffer.write(to_line(exit))
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
