"""A worker pool that is killed is started again, and nothing that it leaves behind stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hpc_nas.platforms.processes import pool_wrapper
from tests.unit.platforms.group_task_helpers import DEADLINE_S, wait_for

# A pool with one worker in a session of its own, as Parsl's has; it says who they are.
_POOL = """\
import os, pathlib, subprocess, sys, time
where = pathlib.Path(sys.argv[1])
worker = subprocess.Popen([sys.executable, "-c", *sys.argv[2:], sys.argv[1]], start_new_session=True)
number = len(list(where.glob("pool-*")))
(where / f".{number}").write_text(f"{os.getpid()} {worker.pid}")
(where / f".{number}").rename(where / f"pool-{number}")
time.sleep(600)
"""
_WORKER = ("import time; time.sleep(600)",)
_STUBBORN_KEEPER = (*_WORKER, pool_wrapper.AGENT)
_SAVE = "import sys, time, pathlib; time.sleep(4); pathlib.Path(sys.argv[-1], 'saved').touch()"
_QUICK_KEEPER = (_SAVE, pool_wrapper.AGENT)


class Pool:
    """A pool wrapper over a pool; `where` collects who was started."""

    def __init__(self, where: Path, *, worker: tuple[str, ...], grace_s: float):
        self.where = where
        line = [sys.executable, str(Path(pool_wrapper.__file__)), "--grace", str(grace_s)]
        self.pool_wrapper = subprocess.Popen(
            [*line, sys.executable, "-c", _POOL, str(where), *worker], stderr=subprocess.DEVNULL
        )

    def started(self, number: int) -> tuple[int, int]:
        """(pool, worker): the process ids of the `number`-th start, which may still have to come."""
        path = self.where / f"pool-{number}"
        wait_for(path.exists, what=f"start {number}")
        pool, worker = map(int, path.read_text().split())
        return pool, worker

    @property
    def num_starts(self) -> int:
        return len(list(self.where.glob("pool-*")))

    def left(self) -> list[int]:
        """Processes of any start that still run."""
        pids = [pid for number in range(self.num_starts) for pid in self.started(number)]
        return [pid for pid in pids if lives(pid)]


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def reaped(where: Path, *, worker: tuple[str, ...] = _WORKER, grace_s: float = 5.0) -> Iterator[Pool]:
    pool = Pool(where, worker=worker, grace_s=grace_s)
    try:
        yield pool
    finally:
        left = pool.left()
        pool.pool_wrapper.kill()
        pool.pool_wrapper.wait()
        for pid in left:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


def test_killed_pool_is_started_again_at_once_and_its_worker_is_ended(tmp_path: Path) -> None:
    with reaped(tmp_path) as pool:
        victim, orphan = pool.started(0)
        os.kill(victim, signal.SIGKILL)
        pool.started(1)
        wait_for(lambda: not lives(orphan), what="the end of the orphan")
        assert all(map(lives, pool.started(1)))


def test_pool_is_not_started_again_for_ever(tmp_path: Path) -> None:
    with reaped(tmp_path) as pool:
        for number in range(4):
            os.kill(pool.started(number)[0], signal.SIGKILL)
        assert pool.pool_wrapper.wait(DEADLINE_S) == 128 + signal.SIGKILL
        assert pool.num_starts == 4
        assert pool.left() == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_pool_that_is_told_to_end_is_not_started_again(tmp_path: Path, signum: signal.Signals) -> None:
    with reaped(tmp_path) as pool:
        pool.started(0)
        pool.pool_wrapper.send_signal(signum)
        pool.pool_wrapper.wait(DEADLINE_S)
        assert pool.num_starts == 1
        assert pool.left() == []


def test_pool_that_was_sent_the_end_past_the_wrapper_is_not_started_again(tmp_path: Path) -> None:
    """scancel reaches all processes of a job in any order."""
    with reaped(tmp_path) as pool:
        os.kill(pool.started(0)[0], signal.SIGTERM)
        assert pool.pool_wrapper.wait(DEADLINE_S) == 128 + signal.SIGTERM
        assert pool.num_starts == 1


def test_schedulers_warning_ends_neither_the_wrapper_nor_the_pool(tmp_path: Path) -> None:
    """`scancel --signal=USR1` and LSF's -wa reach every process of a job."""
    with reaped(tmp_path) as pool:
        victim, _ = pool.started(0)
        for process in (victim, pool.pool_wrapper.pid):
            os.kill(process, signal.SIGUSR1)
            os.kill(process, signal.SIGUSR2)
        with pytest.raises(subprocess.TimeoutExpired):
            pool.pool_wrapper.wait(0.5)
        assert lives(victim)
        assert pool.num_starts == 1


def test_pool_that_ends_by_itself_hands_on_its_exit_code(tmp_path: Path) -> None:

    done = subprocess.run(
        [sys.executable, str(Path(pool_wrapper.__file__)), sys.executable, "-c", "raise SystemExit(5)"]
    )
    assert done.returncode == 5


def test_keeper_has_the_grace_to_let_its_group_leave(tmp_path: Path) -> None:
    with reaped(tmp_path, worker=_QUICK_KEEPER, grace_s=DEADLINE_S) as pool:
        _, agent = pool.started(0)
        pool.pool_wrapper.send_signal(signal.SIGTERM)
        pool.pool_wrapper.wait(DEADLINE_S)
        assert (tmp_path / "saved").exists()
        assert not lives(agent)


def test_keeper_that_outstays_the_grace_is_killed(tmp_path: Path) -> None:
    with reaped(tmp_path, worker=_STUBBORN_KEEPER, grace_s=4.0) as pool:
        _, agent = pool.started(0)
        begun = time.monotonic()
        pool.pool_wrapper.send_signal(signal.SIGTERM)
        pool.pool_wrapper.wait(DEADLINE_S)
        assert time.monotonic() - begun >= 4.0
        assert not lives(agent)


def test_pool_dies_with_its_wrapper(tmp_path: Path) -> None:
    with reaped(tmp_path) as pool:
        victim, _ = pool.started(0)
        pool.pool_wrapper.kill()
        wait_for(lambda: not lives(victim), what="the end of the pool")
