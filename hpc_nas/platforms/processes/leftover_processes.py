"""Processes of a group that have outlived its launcher: found by their command line, and ended."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

MOMENT_S = 0.3
LIMIT_S = 5.0
POLL_S = 0.02


def end_leftovers(run_dir: Path, *, group: int) -> None:
    """Wait a moment for the group's ranks and rank wrappers to end, then kill those that are left and wait for that."""
    begun = time.monotonic()
    while (left := _leftovers(run_dir, group=group)) and time.monotonic() < begun + LIMIT_S:
        if time.monotonic() > begun + MOMENT_S:
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
        time.sleep(POLL_S)


def _leftovers(run_dir: Path, *, group: int) -> list[psutil.Process]:
    """Every process of this node whose command line ends in what `group_line` gives its ranks."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if "hpc_nas.group" not in line or process.status() == psutil.STATUS_ZOMBIE:
                continue
            rest = line[line.index("hpc_nas.group") + 1 :]
            if rest[:3] == [str(run_dir), "--group", str(group)]:
                found.append(process)
    return found
