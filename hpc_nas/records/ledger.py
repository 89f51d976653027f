"""The ledger: the campaign's journal, one JSON line per event, append-only. It rules on resume.

The first line names the schema version. A line counts once its newline is there. Lines are written and forced to the
disk together, those of one turn of the campaign in one write and one fsync: a kill can leave a damaged last line, or
leave lines out at the end, and nothing of that was ever acknowledged or acted upon outside of the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hpc_nas.errors import RecordError
from hpc_nas.records.json_lines import JsonLines, LineFile, read_json_lines
from hpc_nas.values import Candidate, Outcome, Percent

SCHEMA_VERSION = 2
_HEADER = b'{"kind": "hpc-nas ledger", "schema_version": %d}\n' % SCHEMA_VERSION

Number = Annotated[int, Field(ge=0, lt=1 << 62)]
Finite = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")
    time_s: Finite = Field(description="when, seconds since the Unix epoch")


class CampaignOpened(_Event):
    """A campaign process has taken up the work; `data` sums up the data set."""

    event: Literal["campaign_opened"] = "campaign_opened"
    host: str
    pid: Number
    hpc_nas_version: str
    commit: str
    versions: dict[str, str]
    data: dict[str, Any] = Field(default_factory=dict)
    resumed: bool
    job_id: str = Field(default="", description="the batch scheduler's; empty outside of a job")
    deadline_time: Finite | None = Field(default=None, description="when its own allocation ends")


class CandidateDrawn(_Event):
    """The strategy has drawn a candidate."""

    event: Literal["candidate_drawn"] = "candidate_drawn"
    candidate: Candidate


class SpaceExhausted(_Event):
    """The strategy has no further candidate: the campaign has no more than these."""

    event: Literal["space_exhausted"] = "space_exhausted"
    num_candidates: Number


class GroupStarted(_Event):
    """A worker group is about to be launched."""

    event: Literal["group_started"] = "group_started"
    group: Number


class GroupReported(_Event):
    """A worker group has called for the first time; host and pid are those of its estimator rank."""

    event: Literal["group_reported"] = "group_reported"
    group: Number
    host: str
    pid: Number
    num_trainers: Number


class GroupEnded(_Event):
    """A worker group is gone."""

    event: Literal["group_ended"] = "group_ended"
    group: Number
    reason: str


class AttemptStarted(_Event):
    """A candidate was handed to a group."""

    event: Literal["attempt_started"] = "attempt_started"
    candidate: Number
    attempt: Number
    group: Number
    checkpoint: str | None = Field(default=None, description="what it goes on from; None: from the start")


class AttemptInterrupted(_Event):
    """An attempt was set aside: by a rule (`paused`), or because its group left in order (`drained`)."""

    event: Literal["attempt_interrupted"] = "attempt_interrupted"
    candidate: Number
    attempt: Number
    group: Number
    how: Literal["paused", "drained"]
    epochs: Finite
    best_accuracy: Percent | None = Field(default=None, description="of a paused one, best so far in percent")
    checkpoint: str | None
    message: str = ""


class AttemptLost(_Event):
    """An attempt ended without an outcome: the candidate is queued again."""

    event: Literal["attempt_lost"] = "attempt_lost"
    candidate: Number
    attempt: Number
    group: Number
    message: str
    charged: bool
    quarantined: bool


class CandidateEnded(_Event):
    """A candidate has its outcome."""

    event: Literal["candidate_ended"] = "candidate_ended"
    outcome: Outcome
    group: Number
    history_version: Number | None = Field(
        default=None, description="of the history by which a paused one was stopped in the end; else None"
    )


class ResultIgnored(_Event):
    """The outcome of a stale attempt: recorded, never counted."""

    event: Literal["result_ignored"] = "result_ignored"
    outcome: Outcome
    group: Number
    why: str


class InterruptionIgnored(_Event):
    """A stale attempt was set aside: recorded, never counted."""

    event: Literal["interruption_ignored"] = "interruption_ignored"
    candidate: Number
    attempt: Number
    group: Number
    how: Literal["paused", "drained"]
    checkpoint: str | None
    why: str


class NodeExcluded(_Event):
    """No group is started on this node any more."""

    event: Literal["node_excluded"] = "node_excluded"
    host: str
    why: str


class CampaignClosed(_Event):
    """The campaign process has left in order."""

    event: Literal["campaign_closed"] = "campaign_closed"
    reason: str


Event = (
    CampaignOpened
    | CandidateDrawn
    | SpaceExhausted
    | GroupStarted
    | GroupReported
    | GroupEnded
    | AttemptStarted
    | AttemptInterrupted
    | AttemptLost
    | CandidateEnded
    | ResultIgnored
    | InterruptionIgnored
    | NodeExcluded
    | CampaignClosed
)

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


Ledger = JsonLines[Event]
"""What a ledger says."""


def read_ledger(path: str | os.PathLike[str]) -> Ledger:
    """Read all events; a damaged last line is dropped and told.

    Raises RecordError for a missing or foreign file, and, with its number, for a line before the last one that is
    damaged or can't follow those before it (the same event twice, one of a candidate that was never drawn).
    """
    order = _Order()

    def parse(line: bytes) -> Event:
        event = _EVENTS.validate_json(line)
        order.take(event)
        return event

    return read_json_lines(
        path, header=_HEADER, foreign=f"not a ledger of schema version {SCHEMA_VERSION}", parse=parse
    )


class _Order:
    """What no campaign writes, though each line be well-formed: candidates and attempts come in order, and end once."""

    def __init__(self) -> None:
        self._attempts: list[int] = []  # by candidate, the last one started
        self._in_hand: set[int] = set()
        self._ended: set[int] = set()

    def take(self, event: Event) -> None:
        """Raises ValueError for an event that can't follow those before it, and then takes nothing."""
        if isinstance(event, CandidateDrawn):
            self._check(event.candidate.number == len(self._attempts), f"{len(self._attempts)} is drawn next")
            self._attempts.append(-1)
        elif isinstance(event, SpaceExhausted):
            self._check(event.num_candidates == len(self._attempts), f"{len(self._attempts)} were drawn")
        elif isinstance(event, AttemptStarted):
            number = self._known(event.candidate)
            self._check(event.attempt == self._attempts[number] + 1, "its attempts are counted from 0")
            self._attempts[number] = event.attempt
            self._in_hand.add(number)
        elif isinstance(event, AttemptInterrupted | AttemptLost):
            number = self._known(event.candidate)
            current = number in self._in_hand and event.attempt == self._attempts[number]
            self._check(current, f"candidate {number} attempt {event.attempt} is in nobody's hand")
            self._in_hand.discard(number)
        elif isinstance(event, CandidateEnded):
            number = self._known(event.outcome.candidate)
            self._check(
                event.outcome.attempt <= max(self._attempts[number], 0),
                f"candidate {number} has had no attempt {event.outcome.attempt}",
            )
            self._in_hand.discard(number)
            self._ended.add(number)

    def _known(self, number: int) -> int:
        self._check(number < len(self._attempts), f"candidate {number} was never drawn")
        self._check(number not in self._ended, f"candidate {number} has its outcome already")
        return number

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise ValueError(f"it can't follow the lines before it: {what}")


class LedgerWriter:
    """Appends events in their order. Opening it creates the file, or truncates the damaged tail of the one there.

    `add` and `sync` write many at once, `append` one. What is added and not yet written is known to this process alone:
    nobody else may be told of it, or have anything done for it, before `sync` has returned.

    Raises RecordError where the file can't be written or is no ledger.
    """

    def __init__(self, path: str | os.PathLike[str]):
        num_bytes = read_ledger(path).num_bytes if Path(path).exists() else 0
        self._file = LineFile(path, num_bytes=num_bytes)
        self._pending: list[bytes] = []
        if not num_bytes:
            self._file.write_through(_HEADER)

    def add(self, event: Event) -> None:
        """Take one event; it is written with the next `sync`."""
        self._pending.append(event.model_dump_json().encode() + b"\n")

    def sync(self) -> None:
        """Write what was added: it survives any crash once this returns. Raises RecordError; then it waits on."""
        if self._pending:
            self._file.write_through(b"".join(self._pending))
            self._pending.clear()

    def append(self, event: Event) -> None:
        """Write one event, and all that was added before. Raises RecordError, leaving no trace of this one."""
        self.add(event)
        try:
            self.sync()
        except RecordError:
            self._pending.pop()
            raise

    def close(self) -> None:
        """Write what was added, if that can be done, and close the file."""
        try:
            self.sync()
        finally:
            self._file.close()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
