"""Rule: stop when the best accuracy has stopped rising."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from estimator.checks import require_at_least, require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.values import Decision, Reason

__all__ = ["Patience"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience(Rule):
    """Stop, as converged, when the best accuracy has risen by no more than `min_delta` points in
    `patience_epochs`.
    """

    patience_epochs: float = 5.0
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        require_positive("patience_epochs", self.patience_epochs)
        require_at_least("min_delta", self.min_delta, minimum=0.0)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, gain = forecasts[-1], self._gain(curve)
        numbers = (("gain", gain),)
        if forecast is None or not gain <= self.min_delta:
            return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.CONVERGED, numbers=numbers)

    def _gain(self, curve: Curve) -> float:
        """Points by which the best accuracy rose in the last `patience_epochs`; NaN on a shorter curve."""
        before = curve.last_epoch - self.patience_epochs + SLACK
        num_before = int(np.searchsorted(curve.epochs, before, side="right"))
        return curve.best_accuracy - float(curve.best_so_far[num_before - 1]) if num_before else math.nan
