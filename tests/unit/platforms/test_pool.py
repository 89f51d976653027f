"""Whatever Parsl's worker pool has started ends with it, and it ends with any of its threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from hpc_nas.platforms.processes import pool
from tests.unit.platforms.group_task_helpers import wait_for

# A script as Parsl's is: its processes are spawned, and find what they run in it.
_SCRIPT = """\
import multiprocessing, os, pathlib, sys, threading, time
context = multiprocessing.get_context("spawn")
def work():
    time.sleep(600)
def fail():
    raise OSError("lost")
if __name__ == "__main__":
    manager = context.Manager()
    worker = context.Process(target=work)
    worker.start()
    if sys.argv[2:]:
        threading.Thread(target=fail).start()
    pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {manager._process.pid} {worker.pid}")
    time.sleep(600)
"""


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    line = [sys.executable, "-P", str(Path(pool.__file__)), str(script), str(tmp_path / "pids"), *arguments]
    return subprocess.Popen(line, stderr=subprocess.PIPE, text=True)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_all_that_a_killed_pool_has_started_ends_with_it(tmp_path: Path) -> None:
    process = start(tmp_path)
    said = tmp_path / "pids"
    wait_for(lambda: said.exists() and len(said.read_text().split()) == 3, what="the pool's start")
    me, *others = map(int, said.read_text().split())
    others += [
        child.pid for child in psutil.Process(me).children(recursive=True)
    ]  # the resource tracker, too
    assert me == process.pid
    assert all(map(lives, others))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not any(map(lives, others)), what="the end of all")


def test_pool_ends_when_one_of_its_threads_has_died(tmp_path: Path) -> None:
    process = start(tmp_path, "fail")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "OSError: lost" in said


def test_only_the_pool_itself_is_changed() -> None:
    """Imported, it does nothing."""
    from multiprocessing import spawn

    assert "die_with_parent" not in " ".join(map(os.fsdecode, spawn.get_command_line(pipe_handle=1)))
