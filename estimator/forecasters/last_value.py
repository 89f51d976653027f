"""Forecaster: the latest accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["LastValue"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LastValue(Forecaster):
    """The latest validation accuracy; its spread is not known."""

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        last = curve.last_accuracy
        return Forecast(value=last, spread=math.nan, at_max_epochs=last, num_points=1)
