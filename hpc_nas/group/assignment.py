"""One attempt of one candidate, as a group and its trainers are handed it. Trainers load no more of the protocol."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.values import Candidate


class Assignment(BaseModel):
    """One attempt of one candidate, handed to a group."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    candidate: Candidate
    attempt: int = Field(ge=0)
    checkpoint: str | None = Field(
        default=None, description="file name of the checkpoint to go on from; None: from the start"
    )
