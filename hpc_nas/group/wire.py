"""The messages between the ranks of one group, over MPI: tiny, asynchronous, never waited for.

Commands go from the estimator to a trainer, reports the other way; both are JSON of at most `BUFFER_BYTES`.
A trainer keeps one receive posted and tests it between batches (0.7 us), which reaches a busy trainer
faster than probing does.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Annotated, Literal

from mpi4py import MPI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hpc_nas.group.assignment import Assignment
from hpc_nas.values import Observation, Reason, State

BUFFER_BYTES = 1 << 16
COMMAND_TAG, REPORT_TAG = 11, 12


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")


class Train(_Message):
    """Command: train this candidate."""

    kind: Literal["train"] = "train"
    assignment: Assignment


class Stop(_Message):
    """Command: leave this attempt at the next batch boundary; any other attempt ignores it as stale."""

    kind: Literal["stop"] = "stop"
    candidate: int
    attempt: int
    reason: Reason


class Pause(_Message):
    """Command: set this attempt aside at the next batch boundary, with a checkpoint; stale for any other."""

    kind: Literal["pause"] = "pause"
    candidate: int
    attempt: int
    reason: Reason


class Leave(_Message):
    """Command: leave whatever is in progress at the next batch boundary, with a checkpoint, and end the rank."""

    kind: Literal["leave"] = "leave"


class Present(_Message):
    """Report: this trainer has its data and its device, and is free."""

    kind: Literal["present"] = "present"
    host: str
    pid: int
    device: str


class Taken(_Message):
    """Report: this trainer has taken up an assignment."""

    kind: Literal["taken"] = "taken"
    candidate: int
    attempt: int


class Notification(_Message):
    """Report: this row lies in this trainer's file, at this place among its observations.

    The row comes along for file systems that do not show it to a reader while its writer goes on.
    """

    kind: Literal["ring"] = "ring"
    index: int
    row: Observation


class Saved(_Message):
    """Report: the checkpoint of an attempt that was paused or drained lies in the run directory, or can't.

    It follows its `Left`, and other reports may come in between: the file is written while the trainer goes on.
    """

    kind: Literal["saved"] = "saved"
    candidate: int
    attempt: int
    epochs: float
    checkpoint: str | None
    message: str = ""


class Left(_Message):
    """Report: this trainer has left an attempt, and is free.

    In state paused or cancelled (it was told to leave) a `Saved` follows.
    """

    kind: Literal["left"] = "left"
    candidate: int
    attempt: int
    state: State
    reason: Reason
    message: str
    left_time: float


class Failed(_Message):
    """Report: this trainer can't go on, and why; it waits for `Leave`."""

    kind: Literal["failed"] = "failed"
    message: str


Command = Train | Stop | Pause | Leave
Report = Present | Taken | Notification | Left | Saved | Failed

_commands: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
_reports: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])


class Outbox:
    """Sends without waiting: keeps each message alive until MPI has taken it."""

    def __init__(self, comm: MPI.Comm, *, tag: int):
        self._comm = comm
        self._tag = tag
        self._pending: deque[tuple[MPI.Request, bytes]] = deque()

    def send(self, message: Command | Report, *, to: int) -> None:
        """Hand a message to MPI. Raises ValueError for one that would not fit the receiver's buffer."""
        data = message.model_dump_json().encode()
        if len(data) > BUFFER_BYTES:
            raise ValueError(f"a {message.kind} message of {len(data)} bytes; the limit is {BUFFER_BYTES}")
        self._pending.append((self._comm.Isend([data, MPI.BYTE], dest=to, tag=self._tag), data))
        while self._pending and self._pending[0][0].Test():
            self._pending.popleft()

    def flush(self, *, timeout_s: float) -> bool:
        """Wait, sleeping, until all is taken; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        while self._pending:
            if self._pending[0][0].Test():
                self._pending.popleft()
            elif time.monotonic() > deadline:
                return False
            else:
                time.sleep(0.001)
        return True


class CommandBox:
    """A trainer's posted receive for commands of the estimator."""

    def __init__(self, comm: MPI.Comm, *, source: int):
        self._comm = comm
        self._source = source
        self._buffer = bytearray(BUFFER_BYTES)
        self._status = MPI.Status()
        self._request = self._post()

    def poll(self) -> Command | None:
        """The next command, or None; never waits."""
        if not self._request.Test(self._status):
            return None
        data = bytes(self._buffer[: self._status.Get_count(MPI.BYTE)])
        self._request = self._post()
        return _commands.validate_json(data)

    def cancel(self) -> None:
        """Take the posted receive back, before MPI is finalized."""
        self._request.Cancel()
        self._request.Wait()

    def _post(self) -> MPI.Request:
        return self._comm.Irecv([self._buffer, MPI.BYTE], source=self._source, tag=COMMAND_TAG)


class ReportBox:
    """The estimator's view of what its trainers report."""

    def __init__(self, comm: MPI.Comm):
        self._comm = comm
        self._status = MPI.Status()

    def poll(self) -> tuple[int, Report] | None:
        """(rank, report), or None; never waits."""
        if not self._comm.Iprobe(source=MPI.ANY_SOURCE, tag=REPORT_TAG, status=self._status):
            return None
        source = self._status.Get_source()
        data = bytearray(self._status.Get_count(MPI.BYTE))
        self._comm.Recv([data, MPI.BYTE], source=source, tag=REPORT_TAG)
        return source, _reports.validate_json(bytes(data))
