"""The history's journal: what was known of all candidates, in the order in which the campaign heard it.

One JSON line per event, append-only. The first line names the schema version, so that event number v is line
v + 1, and `History(events[:version])` is the history that a decision with this version rested on. Lines are
kept in memory until `flush`; a kill can only leave the last line damaged.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

import estimator
from hpc_nas.errors import RecordError

SCHEMA_VERSION = 1
_HEADER = b'{"kind": "hpc-nas history", "schema_version": %d}\n' % SCHEMA_VERSION


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")
    candidate: int = Field(ge=0)


class ObservedLine(_Line):
    """One observation: the fields of `estimator.Observed`."""

    event: Literal["observed"] = "observed"
    epoch: float
    val_accuracy: float
    val_loss: float
    train_loss: float
    train_accuracy: float


class EndedLine(_Line):
    """A candidate has left its trainer, or (`resumed`) has one again: how it stands, as in `estimator.Ended`."""

    event: Literal["ended", "resumed"] = "ended"
    standing: estimator.Standing = Field(strict=False)
    audited: bool


class DescribedLine(_Line):
    """What a candidate is: the fields of `estimator.Described`."""

    event: Literal["described"] = "described"
    features: dict[str, float]


Line = Annotated[ObservedLine | EndedLine | DescribedLine, Field(discriminator="event")]
"""An event of the history as JSON has it, in the journal and in messages."""

_LINES: TypeAdapter[Line] = TypeAdapter(Line)


def to_line(event: estimator.Event) -> Line:
    """An event as JSON has it."""
    # Not checked again: an event is sound, and there are many.
    if isinstance(event, estimator.Observed):
        return ObservedLine.model_construct(
            candidate=event.candidate,
            epoch=event.epoch,
            val_accuracy=event.val_accuracy,
            val_loss=event.val_loss,
            train_loss=event.train_loss,
            train_accuracy=event.train_accuracy,
        )
    if isinstance(event, estimator.Described):
        return DescribedLine.model_construct(candidate=event.candidate, features=dict(event.features))
    if isinstance(event, estimator.Resumed):
        return EndedLine.model_construct(
            candidate=event.candidate, event="resumed", standing=estimator.Standing.RUNNING, audited=False
        )
    return EndedLine.model_construct(
        candidate=event.candidate, standing=event.standing, audited=event.audited
    )


def from_line(line: Line) -> estimator.Event:
    """The event that a line says."""
    if isinstance(line, ObservedLine):
        return estimator.Observed(
            candidate=line.candidate,
            epoch=line.epoch,
            val_accuracy=line.val_accuracy,
            val_loss=line.val_loss,
            train_loss=line.train_loss,
            train_accuracy=line.train_accuracy,
        )
    if isinstance(line, DescribedLine):
        return estimator.Described(candidate=line.candidate, features=tuple(line.features.items()))
    if line.event == "resumed":
        return estimator.Resumed(candidate=line.candidate)
    return estimator.Ended(candidate=line.candidate, standing=line.standing, audited=line.audited)


@dataclass(frozen=True, kw_only=True)
class HistoryJournal:
    """What a journal says. `damaged_tail` is the text of a last line that was cut short, None without one."""

    events: tuple[estimator.Event, ...]
    damaged_tail: str | None
    num_bytes: int  # of the sound part


def read_history(path: str | os.PathLike[str]) -> HistoryJournal:
    """Read all events; a damaged last line is dropped and told.

    Raises RecordError for a missing or foreign file, and for damage before the last line, with its number.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    if not data.startswith(_HEADER):
        if _HEADER.startswith(data):  # killed while it was born
            return HistoryJournal(events=(), damaged_tail=data.decode() or None, num_bytes=0)
        raise RecordError(
            f"{path}: no history of schema version {SCHEMA_VERSION}; it begins with {data[:60]!r}"
        )
    events: list[estimator.Event] = []
    lines = data.splitlines(keepends=True)
    for index, line in enumerate(lines[1:], start=2):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")
            events.append(from_line(_LINES.validate_json(line)))
        except ValueError as error:
            if index == len(lines):
                tail = line.decode(errors="replace")
                return HistoryJournal(
                    events=tuple(events), damaged_tail=tail, num_bytes=len(data) - len(line)
                )
            raise RecordError(
                f"{path}, line {index}: damaged; only the last line may be. Restore the file from a copy"
            ) from error
    return HistoryJournal(events=tuple(events), damaged_tail=None, num_bytes=len(data))


class HistoryWriter:
    """Appends events to the first `num_bytes` of a file, the sound part of what lies there; 0 makes a new one.

    What `flush` has written survives the end of this process, however it comes, not that of the machine.
    Raises RecordError where the file can't be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, num_bytes: int):
        self._path = Path(path)
        self._pending: list[bytes] = []
        self._num_bytes = num_bytes
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._descriptor, self._num_bytes)
        except OSError as error:
            raise self._error(error) from error
        if not self._num_bytes:
            self._pending.append(_HEADER)

    def append(self, events: Iterable[estimator.Event]) -> None:
        """Take events; they are on their way once `flush` returns."""
        self._pending += (to_line(event).model_dump_json().encode() + b"\n" for event in events)

    def flush(self) -> None:
        """Write what is pending, all or nothing. Raises RecordError; then it is still pending."""
        if not self._pending:
            return
        data = b"".join(self._pending)
        try:
            rest = memoryview(data)
            while rest:  # more than once only where the disk is about to be full
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._num_bytes)
            raise self._error(error) from error
        self._num_bytes += len(data)
        self._pending.clear()

    def close(self) -> None:
        """Write what is pending and close the file."""
        if self._descriptor < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def _error(self, error: OSError) -> RecordError:
        return RecordError(
            f"{self._path}: can't be written: {error.strerror}; what it holds is intact. "
            "Free space or make it writable, then resume the campaign"
        )

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
