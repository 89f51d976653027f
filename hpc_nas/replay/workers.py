"""Does the pieces of a comparison: small work here, the rest in processes of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from threadpoolctl import threadpool_limits

from estimator.user_file import load_files, loaded_files
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import safe_children
from hpc_nas.replay.values import Replay
from hpc_nas.replay.work import Part, Piece

__all__ = ["do_all", "progress_bar"]

PATIENCE_S = 3.0
"""What takes no longer is done here: processes need about as long to start."""

SMALL = 200
"""So many curves are done here at a time while patience lasts."""

Advance = Callable[[int], None]
"""Called with a number of curves that are done."""


def do_all(pieces: Sequence[Piece], *, num_processes: int, advance: Advance) -> list[Mapping[Part, Replay]]:
    """The results of all pieces, in their order, whoever did them. Raises LaunchError if a process dies."""
    results: list[Mapping[Part, Replay] | None] = [None] * len(pieces)
    todo = list(range(len(pieces)))
    begun = time.monotonic()
    while todo:
        small = pieces[todo[-1]].size <= SMALL and time.monotonic() - begun < PATIENCE_S
        if not small and num_processes > 1 and len(todo) > 1:
            break
        index = todo.pop()  # the small ones are at the end
        results[index] = _do(pieces[index])
        advance(pieces[index].size)
    if todo:
        with safe_children():
            _do_in_processes(
                pieces, todo, results, num_processes=min(num_processes, len(todo)), advance=advance
            )
    return [result for result in results if result is not None]


def _do(piece: Piece) -> Mapping[Part, Replay]:
    """With one thread, whoever does it: the same sums in the same order, and no process in another's way."""
    with threadpool_limits(limits=1):
        return piece.work()


def _do_in_processes(
    pieces: Sequence[Piece],
    todo: Sequence[int],
    results: list[Mapping[Part, Replay] | None],
    *,
    num_processes: int,
    advance: Advance,
) -> None:
    pool = ProcessPoolExecutor(
        max_workers=num_processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=load_files,  # presets of a user's own file are objects of classes that it defines
        initargs=(loaded_files(),),
    )
    try:
        running: dict[Future[Mapping[Part, Replay]], int] = {
            pool.submit(_do, pieces[index]): index for index in todo
        }
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                index = running.pop(future)
                results[index] = future.result()
                advance(pieces[index].size)
    except BrokenProcessPool as error:
        raise LaunchError(
            "a process of the replay died (out of memory?); use fewer with --processes N"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def progress_bar(console: Console, *, num_curves: int) -> Iterator[Advance]:
    """A bar with the time left, for as long as something is replayed; silent where there is no terminal."""
    columns = (
        TextColumn("replay"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("curves"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replay", total=num_curves)
        yield lambda count: progress.advance(task, count)
