"""What every table of a configuration has in common: frozen, strict, no unknown keys, numbers with two ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_COUNT = 1_000_000
MAX_SEED = 2**64 - 1
"""What torch, numpy and JSON readers all take."""
HOUR_S, DAY_S = 3600.0, 86_400.0

Positive = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Section(BaseModel):
    """One table."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, ser_json_inf_nan="constants"
    )
