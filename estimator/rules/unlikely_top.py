"""Rule: stop a candidate that is unlikely to end among the best of the population."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from estimator.checks import require_count, require_positive
from estimator.curve import Curve
from estimator.forecasters import Forecaster, RemainingGain
from estimator.forecasters.learned.estimates import estimates_of_others
from estimator.history import Standing
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.loss import SLACK
from estimator.rules.probability import probability_at_least, require_share
from estimator.values import Decision, Reason

__all__ = ["CHECKPOINTS", "UnlikelyTop"]

CHECKPOINTS = (0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75)
"""Shares of the full budget at which is decided: often while most can be saved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlikelyTop(Rule):
    """Stop at a checkpoint if P(final accuracy within the best `top` of the population) < `probability`.

    The best `top` begin at that quantile of the others' estimates, each made by `forecaster` (see
    `estimates_of_others`). A checkpoint is the first observation at or after that share of `max_epochs`. Until
    `min_finished` others have been trained to the end, and where a forecast has no spread, all go on.
    """

    alone: ClassVar[bool] = False
    max_epochs: float
    top: float = 0.25
    probability: float = 0.1
    min_finished: int = 12
    checkpoints: tuple[float, ...] = CHECKPOINTS
    forecaster: Forecaster = field(default_factory=RemainingGain)

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_share("top", self.top)
        require_share("probability", self.probability)
        require_count("min_finished", self.min_finished, minimum=1)
        for share in self.checkpoints:
            require_share("checkpoints", share)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not self._at_checkpoint(curve):
            return go(forecast)
        if population.history.count(Standing.FINISHED) < self.min_finished:
            return go(forecast)
        estimates = estimates_of_others(population, self.forecaster)
        threshold = float(np.quantile(estimates, 1.0 - self.top))
        likely = probability_at_least(threshold, forecast)
        numbers = (("probability", likely), ("threshold", threshold))
        if likely < self.probability:
            return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
        return go(forecast, numbers=numbers)

    def _at_checkpoint(self, curve: Curve) -> bool:
        """Whether the latest observation is the first at or after a checkpoint."""
        before = curve.epochs[-2] if len(curve) > 1 else 0.0
        return any(before < share * self.max_epochs - SLACK <= curve.last_epoch for share in self.checkpoints)
