"""Rule: train every candidate to the end."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go
from estimator.values import Decision

__all__ = ["NeverStop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverStop(Rule):
    """Never stops: the ground truth that rules are judged by."""

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        return go(forecasts[-1])
