"""Rule: Vizier's median stopping (Golovin et al., KDD 2017, section 3.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import ClassVar

from estimator.checks import require_at_least, require_count
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.milestones import progress_at
from estimator.values import Decision, Reason

__all__ = ["Against", "MedianStopping"]


class Against(StrEnum):
    """What of the others' curves a candidate's best is compared with."""

    AVERAGE = "average"  # their mean accuracy so far, as Vizier does
    BEST = "best"  # their best accuracy so far


@dataclass(frozen=True, kw_only=True, slots=True)
class MedianStopping(Rule):
    """Stop a candidate whose best accuracy is strictly below the median of the others at the same epoch.

    Counted is who has reached that epoch, whether it still runs or not (Vizier counts ended trials); with
    fewer than `min_curves` of them, or before `min_epochs`, nobody is stopped.
    """

    min_epochs: float = 1.0
    min_curves: int = 5
    against: Against = Against.AVERAGE
    alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_at_least("min_epochs", self.min_epochs, minimum=0.0)
        require_count("min_curves", self.min_curves, minimum=1)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, epoch = forecasts[-1], curve.last_epoch
        if forecast is None or epoch < self.min_epochs - SLACK or len(population.history) < self.min_curves:
            return go(forecast)
        reached = progress_at(epoch, population.history)
        reached.pop(population.candidate, None)
        if len(reached) < self.min_curves:
            return go(forecast)
        middle = median(getattr(progress, self.against) for progress in reached.values())
        numbers = (("median", middle), ("num_curves", float(len(reached))))
        if curve.best_accuracy >= middle:
            return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
