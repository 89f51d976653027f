"""Forecaster: the best accuracy seen so far (Egele's i-Epoch ranks by it)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["BestSoFar"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BestSoFar(Forecaster):
    """The highest validation accuracy so far; its spread is not known."""

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        best = curve.best_accuracy
        return Forecast(value=best, spread=math.nan, at_max_epochs=best, num_points=len(curve))
