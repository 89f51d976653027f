"""Runs Parsl's worker pool, starts it again when it is killed, and ends what it leaves behind:
`python pool_wrapper.py [--grace SECONDS] COMMAND ...`.

Parsl starts a pool again only when the whole block has ended, and notices that late. A pool that was killed is
started again here, at once: it registers as a new manager, and takes the groups that the campaign starts anew.
Not so one that has ended by itself, or was told to end.

A killed pool leaves its workers and a manager of its own for good. The pool wrapper adopts orphans
(PR_SET_CHILD_SUBREAPER): they get a moment to end by themselves, groups that leave in order get the grace, and what
is left then is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from types import FrameType

import psutil

from hpc_nas.platforms.processes.rank_wrapper import die_with_parent

PR_SET_CHILD_SUBREAPER = 36
AGENT = "hpc_nas.platforms.processes.group_agent"
MOMENT_S = 3.0
GRACE_S = 10.0
POLL_S = 0.1
MAX_RESTARTS, RESTARTS_WITHIN_S = 3, 600.0
# The ways to tell a pool to end, whoever sent them.
_ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# Warnings of the scheduler to all processes of a job: groups heed them, and nothing above them dies of them.
_NOTICES = (signal.SIGUSR1, signal.SIGUSR2)


class PoolWrapper:
    """One command, its restarts and its orphans."""

    def __init__(self, command: list[str], *, grace_s: float):
        self._command = command
        self._grace_s = grace_s
        self._told = False
        self._child: subprocess.Popen[bytes] | None = None
        self._restarts: list[float] = []
        self._orphans: list[tuple[float, psutil.Process]] = []

    def run(self) -> int:
        """Until the command has ended for good and nothing of it is left; its exit code."""
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
        for signum in _ORDERS:
            signal.signal(signum, self._forward)
        for signum in _NOTICES:  # inherited by all that it starts
            signal.signal(signum, signal.SIG_IGN)
        while True:
            code = self._run_once()
            now = time.monotonic()
            self._orphans += [(now, process) for process in psutil.Process().children(recursive=True)]
            if not self._restart(code, now=now):
                break
            print(f"pool wrapper: the command was killed by signal {-code}; started again", file=sys.stderr)
        while self._end_orphans():
            _reap()
            time.sleep(POLL_S)
        return code if code >= 0 else 128 - code

    def _run_once(self) -> int:
        """Start the command; its exit code, negative for a signal. Ended orphans are collected meanwhile."""
        tie = partial(die_with_parent, parent=os.getpid())
        self._child = subprocess.Popen(self._command, preexec_fn=tie)
        if self._told:  # between two starts
            self._child.terminate()
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG if self._orphans else 0)
            if ended == self._child.pid:
                return os.waitstatus_to_exitcode(status)
            if not ended:
                self._end_orphans()
                time.sleep(POLL_S)

    def _restart(self, code: int, *, now: float) -> bool:
        recent = [time_s for time_s in self._restarts if now - time_s < RESTARTS_WITHIN_S]
        self._restarts = [*recent, now]
        return code < 0 and -code not in _ORDERS and not self._told and len(recent) < MAX_RESTARTS

    def _end_orphans(self) -> bool:
        """Kill the orphans whose time is over; are any left?"""
        now = time.monotonic()
        alive = [(since, process) for since, process in self._orphans if _lives(process)]
        in_order = _leaving_in_order([process for _, process in alive])
        for since, process in alive:
            if now - since > (self._grace_s if process.pid in in_order else MOMENT_S):
                for each in [process, *_children(process)]:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
        self._orphans = alive
        return bool(alive)

    def _forward(self, signum: int, frame: FrameType | None) -> None:
        self._told = True
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child.pid, signum)


def _leaving_in_order(processes: list[psutil.Process]) -> set[int]:
    """Those that keep a group, with all that they have started, and the worker that waits for them."""
    found = set()
    for process in processes:
        with suppress(psutil.Error):
            if AGENT in process.cmdline():
                found |= {each.pid for each in (process, *process.parents(), *_children(process))}
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(arguments: list[str]) -> int:
    """Returns the command's exit code."""
    grace_s = GRACE_S
    if arguments[:1] == ["--grace"]:
        grace_s, arguments = float(arguments[1]), arguments[2:]
    return PoolWrapper(arguments, grace_s=grace_s).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
