"""Rule: at a rung, only the best of those that have reached it go on.

This is the stopping form of asynchronous successive halving: nobody waits and nobody comes back. The forms that
pause are in `pause_at_rungs` and in `estimator.promotions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from estimator.checks import require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.milestones import progress_at
from estimator.values import Decision, Reason

__all__ = ["Rung", "Rungs", "crossed", "require_rising"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """An epoch at which candidates are compared by their best accuracy, and the share that goes on."""

    epoch: float
    keep: float

    def __post_init__(self) -> None:
        require_positive("rung epoch", self.epoch)
        require_positive("keep", self.keep)
        if self.keep > 1.0:
            raise ValueError(f"keep = {self.keep!r} is a share, above 0 and at most 1")

    def num_kept(self, num_reached: int) -> int:
        """How many of so many go on, rounded down."""
        return int(self.keep * num_reached + SLACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rungs(Rule):
    """Stop a candidate that is not among the best `keep` of all that have reached the rung, itself included.

    It is judged once at each rung, at its first observation there, against those that came before it. While
    they are so few that less than one would be kept, all go on; so does whoever ties with the last that is
    kept. Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), describe the form that
    promotes; where candidates can't be resumed, this one is used (Syne Tune's documentation has both).
    """

    rungs: tuple[Rung, ...]
    alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_rising(self.rungs)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        decision = go(forecast)
        for rung in crossed(self.rungs, curve):
            reached = progress_at(rung.epoch, population.history)
            reached.pop(population.candidate, None)
            num_better = sum(other.best > curve.best_accuracy for other in reached.values())
            numbers = (
                ("rung_epoch", rung.epoch),
                ("rank", num_better + 1.0),
                ("num_curves", len(reached) + 1.0),
            )
            decision = go(forecast, numbers=numbers)
            num_kept = rung.num_kept(len(reached) + 1)
            if forecast is not None and num_better >= num_kept > 0:
                return stop(forecast, reason=Reason.RUNG, numbers=numbers)
        return decision


def crossed(rungs: Sequence[Rung], curve: Curve) -> list[Rung]:
    """The rungs that the latest observation is the first to reach, lowest first."""
    before = float(curve.epochs[-2]) if len(curve) > 1 else 0.0
    return [rung for rung in rungs if before < rung.epoch - SLACK <= curve.last_epoch]


def require_rising(rungs: Sequence[Rung]) -> None:
    """Rungs stand in the order of their epochs; raises ValueError."""
    if any(later.epoch <= earlier.epoch for earlier, later in pairwise(rungs)):
        epochs = ", ".join(f"{rung.epoch:g}" for rung in rungs)
        raise ValueError(f"rungs at epochs {epochs} must rise")
