"""Does the jobs on all cores; each is handed on as soon as its last task is done."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.estimator_bench.jobs import Job, Task
from hpc_nas.report.formatting import duration

__all__ = ["do_jobs"]

Done = Callable[[Job, Sequence[Any], float], None]
"""Called with a job, what its tasks gave, and their CPU time in seconds."""


@dataclass(slots=True)
class _Open:
    job: Job
    done: dict[int, Any] = field(default_factory=dict)
    cpu_s: float = 0.0
    failure: BaseException | None = None
    num_left: int = 0


def do_jobs(
    jobs: Sequence[Job], *, num_processes: int, on_done: Done, is_over: Callable[[], bool]
) -> list[str]:
    """Do them in this order until it is over, and say how far it is; returns what could not be done, and why.

    An exception of one job does not keep the others from being done.
    """
    failures: list[str] = []
    progress = _Progress(jobs)
    pool = ProcessPoolExecutor(
        max_workers=num_processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is for this process alone
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        places: dict[Future[tuple[Any, float]], tuple[_Open, int]] = {}
        for job in jobs:
            opened = _Open(job=job, num_left=len(job.tasks))
            for number, task in enumerate(job.tasks):
                places[pool.submit(_work, task)] = (opened, number)
        for future in as_completed(list(places)):
            opened, number = places.pop(future)
            opened.num_left -= 1
            if (failure := future.exception()) is not None:
                opened.failure = failure
            else:
                opened.done[number], cpu_s = future.result()
                opened.cpu_s += cpu_s
            if opened.num_left:
                continue
            if opened.failure is not None:
                failures.append(f"{opened.job.label}: {type(opened.failure).__name__}: {opened.failure}")
            else:
                on_done(opened.job, [opened.done[at] for at in sorted(opened.done)], opened.cpu_s)
            progress.show(opened)
            if places and is_over():
                break
    finally:
        pool.shutdown(cancel_futures=True)
    return failures


def _work(task: Task) -> tuple[Any, float]:
    """What the task gives and its CPU time; one thread, so that processes are not in each other's way."""
    with threadpool_limits(limits=1):
        started = time.process_time()
        return task.work(), time.process_time() - started


class _Progress:
    """One line for each job, with the time left if the rest goes as quickly as guessed so far."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._started = time.monotonic()
        self._num_jobs, self._num_done = len(jobs), 0
        self._cost_s, self._done_s = sum(job.cost_s for job in jobs), 0.0

    def show(self, opened: _Open) -> None:
        self._num_done += 1
        self._done_s += opened.job.cost_s
        passed = time.monotonic() - self._started
        left = passed * (self._cost_s - self._done_s) / self._done_s if self._done_s else float("nan")
        outcome = "failed" if opened.failure is not None else f"{opened.cpu_s:.1f} s CPU"
        print(
            f"[{self._num_done}/{self._num_jobs}] {opened.job.label}: {outcome}; "
            f"{duration(passed)} passed, about {duration(left)} left",
            flush=True,
        )
