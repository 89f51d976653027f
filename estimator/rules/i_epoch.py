"""Rule: i-Epoch (Egele et al., arXiv 2404.04111): every candidate gets the same few epochs."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.checks import require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.values import Decision, Reason

__all__ = ["IEpoch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IEpoch(Rule):
    """Stop, its budget spent, at the first observation after `epochs` epochs."""

    epochs: float = 1.0

    def __post_init__(self) -> None:
        require_positive("epochs", self.epochs)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or curve.last_epoch < self.epochs - SLACK:
            return go(forecast)
        return stop(forecast, reason=Reason.BUDGET, numbers=(("epochs", self.epochs),))
