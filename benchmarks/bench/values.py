"""Bases of what is measured: frozen values that go into results.json and come back from it."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, BeforeValidator, ConfigDict

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float; NaN stands as null in JSON."""

LEVELS = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
"""The percentiles that are kept of a distribution."""

SHARES = (10, 20, 30)
"""Percent of the best candidates that overlap and gap are taken of."""


class Value(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Spread(Value):
    """A distribution of durations in seconds: its count, the percentiles LEVELS, and the usual three."""

    count: int
    median: Number
    p10: Number
    p90: Number
    percentiles: tuple[Number, ...]

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Of all finite values; NaN throughout where there are none."""
        array = np.asarray(values, dtype=np.float64)
        known = array[np.isfinite(array)]
        found = np.percentile(known, LEVELS) if len(known) else np.full(len(LEVELS), np.nan)
        percentiles = tuple(float(f"{value:.6g}") for value in found)
        at = dict(zip(LEVELS, percentiles, strict=True))
        return cls(count=len(known), median=at[50], p10=at[10], p90=at[90], percentiles=percentiles)
