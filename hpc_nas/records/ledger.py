"""The ledger: the campaign's journal, one JSON line per event, append-only. It rules on resume.

The first line names the schema version. A line counts once its newline is there: each is one write and one
fsync, so a kill can only leave the last line damaged, and that one was never acknowledged.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hpc_nas.errors import RecordError
from hpc_nas.values import Candidate, Outcome

SCHEMA_VERSION = 1
_HEADER = b'{"kind": "hpc-nas ledger", "schema_version": %d}\n' % SCHEMA_VERSION


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")
    time_s: float = Field(ge=0.0, description="when, seconds since the Unix epoch")


class CampaignOpened(_Event):
    """A campaign process has taken up the work; `data` sums up the data set."""

    event: Literal["campaign_opened"] = "campaign_opened"
    host: str
    pid: int
    hpc_nas_version: str
    commit: str
    versions: dict[str, str]
    data: dict[str, Any] = Field(default_factory=dict)
    resumed: bool


class CandidateDrawn(_Event):
    """The strategy has drawn a candidate."""

    event: Literal["candidate_drawn"] = "candidate_drawn"
    candidate: Candidate


class GroupStarted(_Event):
    """A worker group is about to be launched."""

    event: Literal["group_started"] = "group_started"
    group: int


class GroupReported(_Event):
    """A worker group has called for the first time; host and pid are those of its estimator rank."""

    event: Literal["group_reported"] = "group_reported"
    group: int
    host: str
    pid: int
    num_trainers: int


class GroupEnded(_Event):
    """A worker group is gone."""

    event: Literal["group_ended"] = "group_ended"
    group: int
    reason: str


class AttemptStarted(_Event):
    """A candidate was handed to a group."""

    event: Literal["attempt_started"] = "attempt_started"
    candidate: int
    attempt: int
    group: int


class AttemptLost(_Event):
    """An attempt ended without an outcome: the candidate is queued again."""

    event: Literal["attempt_lost"] = "attempt_lost"
    candidate: int
    attempt: int
    group: int
    message: str
    charged: bool
    suspect: bool


class CandidateEnded(_Event):
    """A candidate has its outcome."""

    event: Literal["candidate_ended"] = "candidate_ended"
    outcome: Outcome
    group: int


class ResultIgnored(_Event):
    """The outcome of a stale attempt: recorded, never counted."""

    event: Literal["result_ignored"] = "result_ignored"
    outcome: Outcome
    group: int
    why: str


class CampaignClosed(_Event):
    """The campaign process has left in order."""

    event: Literal["campaign_closed"] = "campaign_closed"
    reason: str


Event = (
    CampaignOpened
    | CandidateDrawn
    | GroupStarted
    | GroupReported
    | GroupEnded
    | AttemptStarted
    | AttemptLost
    | CandidateEnded
    | ResultIgnored
    | CampaignClosed
)

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What a ledger says. `damaged_tail` is the text of a last line that was cut short, None without one."""

    events: tuple[Event, ...]
    damaged_tail: str | None
    num_bytes: int  # of the sound part


def read_ledger(path: str | os.PathLike[str]) -> Ledger:
    """Read all events; a damaged last line is dropped and told.

    Raises RecordError for a missing or foreign file, and for damage before the last line, with its number.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    if not data.startswith(_HEADER):
        if _HEADER.startswith(data):  # killed while it was born
            return Ledger(events=(), damaged_tail=data.decode() or None, num_bytes=0)
        raise RecordError(
            f"{path}: not a ledger of schema version {SCHEMA_VERSION}; it begins with {data[:60]!r}"
        )
    events: list[Event] = []
    position = len(_HEADER)
    while position < len(data):
        end = data.find(b"\n", position) + 1
        line = data[position : end or len(data)]
        try:
            if not end:
                raise ValueError("it has no end")
            events.append(_EVENTS.validate_json(line))
        except ValueError as error:
            if position + len(line) == len(data):
                tail = line.decode(errors="replace")
                return Ledger(events=tuple(events), damaged_tail=tail, num_bytes=position)
            raise RecordError(
                f"{path}, line {len(events) + 2}: damaged ({_brief(error)}); only the last line may be. "
                "Restore the file from a copy"
            ) from error
        position = end
    return Ledger(events=tuple(events), damaged_tail=None, num_bytes=position)


def _brief(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
    return str(error)


class LedgerWriter:
    """Appends events. Opening it creates the file, or truncates the damaged tail of the one that is there.

    Raises RecordError where the file can't be written or is no ledger.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = Path(path)
        self._num_bytes = read_ledger(path).num_bytes if self._path.exists() else 0
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._descriptor, self._num_bytes)
        except OSError as error:
            raise self._error(error) from error
        if not self._num_bytes:
            self._write(_HEADER)

    def append(self, event: Event) -> None:
        """Write one event; it survives any crash once this returns. Raises RecordError, leaving no trace of it."""
        self._write(event.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the file; nothing is pending."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, line: bytes) -> None:
        try:
            rest = memoryview(line)
            while rest:  # more than once only where the disk is about to be full
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._num_bytes)
            raise self._error(error) from error
        self._num_bytes += len(line)

    def _error(self, error: OSError) -> RecordError:
        return RecordError(
            f"{self._path}: can't be written: {error.strerror}; what it holds is intact. "
            "Free space or make it writable, then resume the campaign"
        )

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
