"""What the user sees while a campaign runs: a live panel at a terminal, plain lines in a batch log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpc_nas.campaign.progress import Progress, Seat
from hpc_nas.campaign.state import CampaignState

LINE_INTERVAL_S = 10.0

logger = logging.getLogger(__name__)


class View(Protocol):
    """Shows the user how the campaign stands, for as long as there is somewhere to show it.

    A terminal that was closed, or a pipe that nobody reads any more (`| head`), ends the showing, never the campaign.
    """

    def update(self, state: CampaignState, progress: Progress) -> None:
        """Called several times a second; draws when it sees fit."""


class LiveView:
    """Redraws a panel a few times a second; for a terminal."""

    def __init__(self, console: Console, *, title: str):
        self._title = title
        # Drawn from here alone: an error in a thread of rich's own could not be caught.
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._output = _Output()
        self._started = False  # rich can't stop what it could not start
        self._next = 0.0

    def __enter__(self) -> LiveView:
        with self._output.writing():
            self._live.start()
            self._started = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            with self._output.writing():
                self._live.stop()

    def update(self, state: CampaignState, progress: Progress) -> None:
        """Draw the present standing."""
        now = time.monotonic()
        if now >= self._next and not self._output.lost:
            self._next = now + 0.25
            with self._output.writing():
                self._live.update(render(state, progress, title=self._title), refresh=True)


class LineView:
    """One line every few seconds, and when the last candidate has ended; for a log."""

    def __init__(self, console: Console):
        self._console = console
        self._output = _Output()
        self._next = 0.0
        self._ended = -1

    def __enter__(self) -> LineView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, state: CampaignState, progress: Progress) -> None:
        """Print a line when one is due and something has happened, or at the end."""
        now = time.monotonic()
        due = now >= self._next or state.complete
        if due and state.num_ended != self._ended and not self._output.lost:
            self._next = now + LINE_INTERVAL_S
            self._ended = state.num_ended
            with self._output.writing():
                self._console.print(line(state, progress), highlight=False, soft_wrap=True)


class _Output:
    """Knows whether the place that a view writes to is still there."""

    def __init__(self) -> None:
        self.lost = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Swallows the error of a place that can't be written to."""
        try:
            yield
        except OSError as error:
            self._lose(error)
        except SystemExit as error:
            # rich ends the program when it meets a broken pipe.
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            self._lose(error.__context__)

    def _lose(self, error: OSError) -> None:
        if not self.lost:
            logger.warning("the campaign's standing is shown no longer: %s", error)
        self.lost = True


def make_view(console: Console, *, title: str) -> AbstractContextManager[View]:
    """The view that suits where the output goes."""
    return LiveView(console, title=title) if console.is_terminal else LineView(console)


def line(state: CampaignState, progress: Progress) -> str:
    """The standing in one line of plain text."""
    parts = [
        f"{state.num_ended}/{state.num_candidates} candidates",
        f"{progress.num_busy}/{len(progress.seats)} trainers busy",
        *([f"{len(state.paused)} paused"] if state.paused else []),
        f"best {_best(progress)}",
        f"epochs {progress.epochs_spent:g} spent, {progress.epochs_saved:g} saved",
        f"{progress.candidates_per_hour:.0f} candidates/h",
        f"left {duration(progress.remaining_s(state.num_candidates - state.num_ended))}",
    ]
    outcomes = ", ".join(f"{count} {label}" for label, count in progress.outcomes.most_common())
    return " | ".join(parts) + (f" | {outcomes}" if outcomes else "")


def render(state: CampaignState, progress: Progress, *, title: str) -> Group:
    """The standing as a panel: progress bar, figures, outcomes, one row a trainer."""
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(title, style="bold"),
        ProgressBar(total=state.num_candidates, completed=state.num_ended, width=30),
        f"{state.num_ended}/{state.num_candidates} candidates",
        f"left {duration(progress.remaining_s(state.num_candidates - state.num_ended))}",
    )
    figures = Text(
        f"best {_best(progress)}   epochs {progress.epochs_spent:g} spent, {progress.epochs_saved:g} saved   "
        f"{progress.candidates_per_hour:.0f} candidates/h   trainers {progress.num_busy}/{len(progress.seats)} busy"
        + (f"   {len(state.paused)} paused" if state.paused else "")
    )
    outcomes = Text(
        "   ".join(f"{label} {count}" for label, count in progress.outcomes.most_common())
        or "no outcome yet",
        style="dim",
    )
    return Group(head, figures, outcomes, _seats(progress))


def duration(seconds: float | None) -> str:
    """Seconds as h:mm:ss; `?` when unknown."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _seats(progress: Progress) -> Table | Text:
    if not progress.seats:
        return Text(
            f"no worker group any more: {progress.stopping}"
            if progress.stopping
            else "starting the worker group ..."
        )
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("trainer", "device", "candidate", "epoch", "validation %", "forecast %"):
        table.add_column(column, justify="left" if column in ("trainer", "device") else "right")
    for (group, trainer), seat in sorted(progress.seats.items()):
        table.add_row(f"{group}.{trainer}", seat.device, *_columns(seat))
    return table


def _columns(seat: Seat) -> tuple[str, str, str, str]:
    if seat.candidate is None:
        return ("free", "", "", "")
    return (
        str(seat.candidate),
        f"{seat.epoch:g}",
        "" if seat.val_accuracy is None else f"{seat.val_accuracy:.2f}",
        "" if seat.forecast is None else f"{seat.forecast:.2f}",
    )


def _best(progress: Progress) -> str:
    if progress.best is None or progress.best.estimate is None:
        return "none yet"
    return f"{progress.best.estimate:.2f} % (candidate {progress.best.candidate})"
