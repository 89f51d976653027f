"""Does another candidate fit into the time that is left? From how long candidates have taken so far."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence

CLOSING_S = 10.0  # to send groups away, hear them out and write the archive, beside their own `drain_s`
QUANTILE = 0.9  # of the times so far: one candidate in ten may take longer and starts again


class Durations:
    """How long candidates took on their trainers, from first to last batch."""

    def __init__(self, seconds: Sequence[float] = ()) -> None:
        self._sorted = sorted(seconds)

    def add(self, seconds: float) -> None:
        """Another one was trained to its outcome."""
        insort(self._sorted, seconds)

    @property
    def forecast_s(self) -> float | None:
        """The time that the next one is taken to need; None before the first has ended."""
        if not self._sorted:
            return None
        return self._sorted[math.ceil(QUANTILE * len(self._sorted)) - 1]


def leaves_at(deadline_time: float, *, drain_s: float) -> float:
    """When a campaign must begin to close so that all have left by its deadline."""
    return deadline_time - drain_s - CLOSING_S


def fits(*, now: float, end_time: float, forecast_s: float | None, num_ahead: int, num_trainers: int) -> bool:
    """Will a candidate that is handed out now have ended by `end_time`, behind `num_ahead` others of its group?

    Without a forecast it may be tried as long as there is any time left.
    """
    rounds = 1 + num_ahead // num_trainers
    return now + rounds * (forecast_s or 0.0) < end_time
