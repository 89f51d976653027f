"""Promotion: asynchronous successive halving (ASHA), whoever is good enough goes on at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from estimator.history import History
from estimator.promotion import Promotion
from estimator.promotions.standings import is_paused_below, ranked_at, stop_paused
from estimator.rules.rungs import Rung, require_rising
from estimator.values import Decision

__all__ = ["AsynchronousHalving"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AsynchronousHalving(Promotion):
    """Promote from the highest rung where one of the best `keep` still waits; else begin a new candidate.

    Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2. Who was
    promoted counts on in the rung that it came from, so each rung sends `keep` of all that it has seen.
    """

    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        require_rising(self.rungs)

    def promote(self, history: History, *, num_new: int) -> int | None:
        above = math.inf
        for rung in reversed(self.rungs):
            ranked = ranked_at(rung, history, among=history.members)
            for number in ranked[: rung.num_kept(len(ranked))]:
                if is_paused_below(above, number, history):
                    return number
            above = rung.epoch
        return None

    def settle(self, history: History) -> Mapping[int, Decision]:
        return stop_paused(history)
