"""Rule: stop a candidate that is unlikely to end among the best of the population."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from estimator.checks import require_count, require_positive, require_probability
from estimator.curve import Curve
from estimator.forecasters import Forecaster, RemainingGain
from estimator.forecasters.learned.estimates import estimates_of_others
from estimator.history import Standing
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.checkpoints import is_at_checkpoint, require_checkpoints
from estimator.rules.probability import probability_at_least
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
        require_probability("top", self.top)
        require_probability("probability", self.probability)
        require_count("min_finished", self.min_finished, minimum=1)
        require_checkpoints(self.checkpoints)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not is_at_checkpoint(curve, self.checkpoints, max_epochs=self.max_epochs):
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
