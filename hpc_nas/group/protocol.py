"""The messages between campaign and worker group: JSON, validated, never pickled.

A group asks with *credits*: the number of assignments that it is willing to have received since it started.
The campaign sends while it has sent fewer; so a message that is lost, late or doubled never hands out a
candidate too many. An `Ended` or `Interrupted` is repeated until its `Acknowledge` has come: by then the ledger
holds it. The population's history goes out in pieces that say where they begin; a group takes what goes on where
it stands.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hpc_nas.group.assignment import Assignment as Assignment  # a part of it
from hpc_nas.records.history_journal import Line
from hpc_nas.values import Outcome

MAX_MESSAGE_BYTES = 1 << 20

_T = TypeVar("_T")


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")


# --- group -> campaign -----------------------------------------------------------------------------------


class Hello(_Message):
    """First word of a group, and the answer to a `Welcome` that came from a restarted campaign."""

    kind: Literal["hello"] = "hello"
    host: str
    pid: int
    deadline_time: float | None = Field(
        default=None, description="when its allocation ends, seconds since the Unix epoch; None: never"
    )


class Ready(_Message):
    """All ranks stand: who they are, what they train on."""

    kind: Literal["ready"] = "ready"
    devices: list[str] = Field(description="device of each trainer, by rank")


class Beat(_Message):
    """A sign of life, both ways; from a group it carries its credits and how much of the history it has."""

    kind: Literal["beat"] = "beat"
    credits: int = Field(default=0, ge=0)
    history_version: int | None = Field(default=None, ge=0, description="None: it needs none")


class Started(_Message):
    """A trainer has taken up an assignment."""

    kind: Literal["started"] = "started"
    candidate: int
    attempt: int
    trainer: int


class Progress(_Message):
    """One observation and what was forecast from it, for the history and for the live view.

    `trainer` is None where the attempt was over before its last row was judged. Carried rows are told as well: the
    campaign takes what it has not heard.
    """

    kind: Literal["progress"] = "progress"
    candidate: int
    attempt: int
    trainer: int | None
    epoch: float
    val_accuracy: float
    val_loss: float = math.nan
    train_loss: float = math.nan
    train_accuracy: float = math.nan
    forecast: float | None = None
    carried: bool = Field(default=False, description="it came with a checkpoint: nothing was trained for it")


class Interrupted(_Message):
    """A trainer has left an attempt that is to go on later; repeated until acknowledged.

    `paused`: a rule gave its trainer to another candidate. `drained`: the group leaves in order. The attempt's
    checkpoint lies in the run directory by now; None where there is none, and `message` says why.
    """

    kind: Literal["interrupted"] = "interrupted"
    trainer: int
    candidate: int
    attempt: int
    how: Literal["paused", "drained"]
    epochs: float = Field(ge=0.0, description="validated so far, those before this attempt included")
    checkpoint: str | None
    message: str = ""


class Ended(_Message):
    """A trainer has left a candidate for good; repeated until acknowledged."""

    kind: Literal["ended"] = "ended"
    trainer: int
    outcome: Outcome


class Trouble(_Message):
    """Something that the whole campaign must stop for: a full disk, records that can't be written."""

    kind: Literal["trouble"] = "trouble"
    message: str


class Goodbye(_Message):
    """Last word of a group that leaves in order."""

    kind: Literal["goodbye"] = "goodbye"
    reason: str


# --- campaign -> group -----------------------------------------------------------------------------------


class Welcome(_Message):
    """Answer to `Hello`."""

    kind: Literal["welcome"] = "welcome"
    chance_accuracy: float


class Assign(_Message):
    """Candidates to train."""

    kind: Literal["assign"] = "assign"
    assignments: list[Assignment]


class HistoryEvents(_Message):
    """What is known of the whole population: the events after version `first_version`, in order."""

    kind: Literal["history_events"] = "history_events"
    first_version: int = Field(ge=0)
    events: list[Line]


class Acknowledge(_Message):
    """The end (`Ended`, `Interrupted`) of this attempt stands in the ledger."""

    kind: Literal["acknowledge"] = "acknowledge"
    candidate: int
    attempt: int


class Leave(_Message):
    """Stop at the next batch boundary, say what happened, go."""

    kind: Literal["leave"] = "leave"
    reason: str


FromGroup = Hello | Ready | Beat | Started | Progress | Interrupted | Ended | Trouble | Goodbye
FromCampaign = Welcome | Beat | Assign | HistoryEvents | Acknowledge | Leave

_from_group: TypeAdapter[FromGroup] = TypeAdapter(Annotated[FromGroup, Field(discriminator="kind")])
_from_campaign: TypeAdapter[FromCampaign] = TypeAdapter(Annotated[FromCampaign, Field(discriminator="kind")])


class MalformedMessage(ValueError):
    """Bytes that are no message of this protocol; the receiver logs and drops them."""


def encode(message: FromGroup | FromCampaign) -> bytes:
    """A message as UTF-8 JSON."""
    return message.model_dump_json().encode()


def decode_from_group(data: bytes) -> FromGroup:
    """What a group sent. Raises MalformedMessage."""
    return _decode(_from_group, data)


def decode_from_campaign(data: bytes) -> FromCampaign:
    """What the campaign sent. Raises MalformedMessage."""
    return _decode(_from_campaign, data)


def _decode(adapter: TypeAdapter[_T], data: bytes) -> _T:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"{len(data)} bytes; the limit is {MAX_MESSAGE_BYTES}")
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        raise MalformedMessage(f"{data[:200]!r}: {error}") from error
