"""Runs a command, and ends all that it started once it has ended: `python reaper.py COMMAND ...`.

Parsl's worker pool starts workers and a manager of its own; when the pool is killed, they stay for good. The
reaper adopts orphans (PR_SET_CHILD_SUBREAPER): whatever the pool leaves behind becomes its child, gets a moment
to end by itself, and is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

from hpc_nas.group.warden import die_with_parent

PR_SET_CHILD_SUBREAPER = 36
MOMENT_S = 3.0
POLL_S = 0.1


def main(command: list[str]) -> int:
    """Returns the command's exit code."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(command, preexec_fn=die_with_parent)

    def forward(signum: int, frame: FrameType | None) -> None:
        os.kill(child.pid, signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, forward)
    code = _reap_until(child.pid)
    deadline = time.monotonic() + MOMENT_S
    while (left := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
        _reap()
        time.sleep(POLL_S)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return code


def _reap_until(pid: int) -> int:
    """Collect ended children, adopted ones too, until `pid` is among them; its exit code."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
