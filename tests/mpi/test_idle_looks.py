"""What an idle group asks of the shared file system: next to nothing, counted by strace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.mpi.harness import GroupHarness, configure

pytestmark = pytest.mark.mpi

WINDOW_S = 19.0
MOST = 4  # in twice ten seconds: a sign of life, and a look for files that nobody rings for
CALLS = "trace=%file,getdents64,getdents"  # everything that takes a path, and what lists a directory


def group_processes(run_dir: Path) -> list[int]:
    """The agent, the launcher, rank wrappers and ranks; not the test itself."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(run_dir) in line and "hpc_nas." in line and process.pid != os.getpid():
            found.append(process.pid)
    return found


def test_idle_group_looks_at_the_run_directory_once_in_a_while(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        message = "no strace to count system calls with"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with GroupHarness(tmp_path / "run", configure()) as group:
        pids = group_processes(group.directory.path)
        since = time.monotonic()
        group.until(lambda: time.monotonic() - since > 25.0)  # what follows the start is over
        assert len(pids) >= 8  # agent, launcher, and a rank_wrapper and a rank of each of three
        told = tmp_path / "calls"
        line = ["strace", "-f", "-y", "-e", CALLS, "-o", str(told), *(f"-p{pid}" for pid in pids)]
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            first = tracer.stderr.readline()
            if "attached" not in first and "Operation not permitted" in first:
                pytest.skip(f"strace may not look at other processes here: {first}")
            since = time.monotonic()
            group.until(lambda: time.monotonic() - since > WINDOW_S)
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
        calls = told.read_text().splitlines()
        there = [call for call in calls if str(group.directory.path) in call]
    # The group is watched all the while, on its node: else this test would count nothing.
    assert any("/alive" in call for call in calls)
    assert len(there) <= MOST, "\n".join(there)
