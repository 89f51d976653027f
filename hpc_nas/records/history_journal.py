"""The history's journal: what was known of all candidates, in the order in which the campaign heard it.

One JSON line per event, append-only. The first line names the schema version, so that event number v is line
v + 1, and `History(events[:version])` is the history that a decision with this version rested on. Lines are
kept in memory until `flush`; a kill can only leave the last line damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

import estimator
from hpc_nas.records.json_lines import JsonLines, LineFile, read_json_lines

SCHEMA_VERSION = 2
_HEADER = b'{"kind": "hpc-nas history", "schema_version": %d}\n' % SCHEMA_VERSION


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")
    candidate: int


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


HistoryJournal = JsonLines[estimator.Event]
"""What a journal says."""


def read_history(path: str | os.PathLike[str]) -> HistoryJournal:
    """Read all events; a damaged last line is dropped and told.

    Raises RecordError for a missing or foreign file, and, with its number, for a line before the last one that is
    damaged or can't follow those before it (the same event twice, an observation that can't be).
    """
    history = estimator.History()

    def parse(line: bytes) -> estimator.Event:
        event = from_line(_LINES.validate_json(line))
        _check_follows(event, history)
        history.apply(event)
        return event

    return read_json_lines(
        path, header=_HEADER, foreign=f"no history of schema version {SCHEMA_VERSION}", parse=parse
    )


def _check_follows(event: estimator.Event, history: estimator.History) -> None:
    """What a history itself would take, and no campaign says. Raises ValueError."""
    number = event.candidate
    if not _FIRST < number < _LAST:
        raise ValueError(f"candidate {number} can't be")
    if isinstance(event, estimator.Described) and history.features_of(number):
        raise ValueError(f"candidate {number} has been described before")
    member = history.members.get(number)
    if isinstance(event, estimator.Ended) and member is not None:
        again = event.standing is member.standing
        if again or member.standing not in _OPEN:
            raise ValueError(
                f"candidate {number} is {member.standing} already, it can't become {event.standing}"
            )


_FIRST, _LAST = -(1 << 30), 1 << 62
_OPEN = (estimator.Standing.RUNNING, estimator.Standing.PAUSED, estimator.Standing.LOST)


class HistoryWriter:
    """Appends events to the first `num_bytes` of a file, the sound part of what lies there; 0 makes a new one.

    What `flush` has written survives the end of this process, however it comes, not that of the machine.
    Raises RecordError where the file can't be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, num_bytes: int):
        self._file = LineFile(path, num_bytes=num_bytes)
        self._pending = [] if num_bytes else [_HEADER]

    def append(self, events: Iterable[estimator.Event]) -> None:
        """Take events; they are on their way once `flush` returns."""
        self._pending += (to_line(event).model_dump_json().encode() + b"\n" for event in events)

    def flush(self) -> None:
        """Write what is pending, all or nothing. Raises RecordError; then it is still pending."""
        if self._pending:
            self._file.write(b"".join(self._pending))
            self._pending.clear()

    def abandon(self) -> None:
        """Close the file without what is pending."""
        self._pending.clear()
        self._file.close()

    def close(self) -> None:
        """Write what is pending and close the file."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
