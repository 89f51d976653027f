"""Finds the processes of a Slurm fixture by its directory, and ends them, whoever has become their parent.

    python -m tools.slurm_cluster.processes DIRECTORY [TAG]

waits until its standard input is closed, then ends all that names the directory and removes the network of TAG:
the fixture keeps such a guard, so that nothing is left even when the fixture's own process is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.slurm_cluster.network import remove_network

PROC = Path("/proc")


def processes_naming(*texts: str) -> list[int]:
    """Pids of all processes that have each of these texts in their arguments, environment or open files.

    slurmstepd has written its title over the first two; its log file gives it away.
    """
    own, wanted = _own_line(), [text.encode() for text in texts]
    return [pid for pid in _pids() if pid not in own and all(text in _traits(pid) for text in wanted)]


def processes_in_network(name: str) -> list[int]:
    """Pids of all processes in this network namespace (`ip netns`)."""
    return [pid for pid in _pids() if runs_in_network(pid, name)]


def runs_in_network(pid: int, name: str) -> bool:
    """Is this process in this network namespace?"""
    try:
        return os.stat(PROC / str(pid) / "ns" / "net").st_ino == os.stat(f"/run/netns/{name}").st_ino
    except OSError:
        return False


def end(find: Callable[[], Iterable[int]], *, timeout_s: float = 10.0) -> list[int]:
    """SIGKILL what `find` gives until it gives nothing (there are none that fork faster); those that are left."""
    deadline = time.monotonic() + timeout_s
    while (left := [pid for pid in find() if is_running(pid)]) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return left


def is_running(pid: int) -> bool:
    """Does it run? One that has ended and waits for its parent to notice does not."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def command_line(pid: int) -> str:
    """Its arguments, for messages; empty when it has gone."""
    try:
        return (
            (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _own_line() -> set[int]:
    """This process and those that it descends from: a test run may name the directory itself."""
    line, pid = set(), os.getpid()
    while pid > 0:
        line.add(pid)
        try:
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def _traits(pid: int) -> bytes:
    directory, traits = PROC / str(pid), b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            traits += (directory / name).read_bytes() + b"\0"
    with contextlib.suppress(OSError):
        for entry in (directory / "fd").iterdir():
            with contextlib.suppress(OSError):
                traits += os.readlink(entry).encode() + b"\0"
    return traits


def main(arguments: list[str]) -> int:
    """The guard. It ignores what a terminal sends to the whole test run."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    sys.stdin.buffer.read()
    left = end(lambda: processes_naming(arguments[0]))
    if len(arguments) > 1:
        remove_network(arguments[1])
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
