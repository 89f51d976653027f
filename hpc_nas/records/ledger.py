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
from hpc_nas.values import Candidate, Outcome

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
"""Version 2 adds keys that may be missing and kinds of events: what version 1 says means the same."""
_HEADERS = {
    version: b'{"kind": "hpc-nas ledger", "schema_version": %d}\n' % version for version in READABLE_VERSIONS
}
_HEADER = _HEADERS[SCHEMA_VERSION]


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
    job_id: str = Field(default="", description="the batch scheduler's; empty outside of a job")
    deadline_time: float | None = Field(default=None, description="when its own allocation ends")


class CandidateDrawn(_Event):
    """The strategy has drawn a candidate."""

    event: Literal["candidate_drawn"] = "candidate_drawn"
    candidate: Candidate


class SpaceExhausted(_Event):
    """The strategy has no further candidate: the campaign has no more than these."""

    event: Literal["space_exhausted"] = "space_exhausted"
    num_candidates: int


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
    checkpoint: str | None = Field(default=None, description="what it goes on from; None: from the start")


class AttemptInterrupted(_Event):
    """An attempt was set aside: by a rule (`paused`), or because its group left in order (`drained`)."""

    event: Literal["attempt_interrupted"] = "attempt_interrupted"
    candidate: int
    attempt: int
    group: int
    how: Literal["paused", "drained"]
    epochs: float
    best_accuracy: float | None = Field(default=None, description="of a paused one, best so far in percent")
    checkpoint: str | None
    message: str = ""


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
    history_version: int | None = Field(
        default=None, description="of the history by which a paused one was stopped in the end; else None"
    )


class ResultIgnored(_Event):
    """The outcome of a stale attempt: recorded, never counted."""

    event: Literal["result_ignored"] = "result_ignored"
    outcome: Outcome
    group: int
    why: str


class InterruptionIgnored(_Event):
    """A stale attempt was set aside: recorded, never counted."""

    event: Literal["interruption_ignored"] = "interruption_ignored"
    candidate: int
    attempt: int
    group: int
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

    Raises RecordError for a missing or foreign file, and for damage before the last line, with its number.
    """
    return read_json_lines(
        path,
        headers=tuple(_HEADERS.values()),
        foreign=f"not a ledger of schema version {', '.join(map(str, READABLE_VERSIONS))}",
        parse=_EVENTS.validate_json,
    )


class LedgerWriter:
    """Appends events in their order. Opening it creates the file, or truncates the damaged tail of the one there.

    `add` and `sync` write many at once, `append` one. What is added and not yet written is known to this process alone:
    nobody else may be told of it, or have anything done for it, before `sync` has returned.

    One of an earlier schema version becomes one of the present version first, and says all that it said.
    Raises RecordError where the file can't be written or is no ledger.
    """

    def __init__(self, path: str | os.PathLike[str]):
        num_bytes = read_ledger(path).num_bytes if Path(path).exists() else 0
        if num_bytes:
            num_bytes = _upgrade(Path(path), num_bytes=num_bytes)
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


def _upgrade(path: Path, *, num_bytes: int) -> int:
    """Put the present version's header on the first `num_bytes`, if they have another one; the new length."""
    try:
        sound = path.read_bytes()[:num_bytes]
        if sound.startswith(_HEADER):
            return num_bytes
        upgraded = _HEADER + sound[sound.index(b"\n") + 1 :]
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with open(temporary, "wb") as file:
            file.write(upgraded)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise RecordError(
            f"{path}: can't be brought to schema version {SCHEMA_VERSION}: {error.strerror}; it is as it was. "
            "Free space or make it writable"
        ) from error
    return len(upgraded)
