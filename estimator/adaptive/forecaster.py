"""Forecaster: a candidate's place in the population's outlook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator.adaptive.levels import Levels
from estimator.adaptive.outlook import forecast_of, newcomer
from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["LevelForecaster", "has_come_to_a_level"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelForecaster(Forecaster):
    """The mean of what the candidate is expected to come to, when it has come to a level; None in between.

    Learned from all others: finished ones by their truth, the rest by their own forecasts. `low` and `high`
    are the 5 % and 95 % quantiles.
    """

    alone: ClassVar[bool] = False
    levels: Levels

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not has_come_to_a_level(curve, self.levels):
            return None
        one = newcomer(population.history, self.levels, number=population.candidate, curve=curve)
        return None if one is None else forecast_of(one.posterior, curves=[curve])[0]


def has_come_to_a_level(curve: Curve, levels: Levels) -> bool:
    """Is the latest observation the first at or after a level below the full budget?"""
    level = levels.reached(curve)
    if not 0 <= level < len(levels) - 1:
        return False
    before = float(curve.epochs[-2]) if len(curve) > 1 else 0.0
    return levels.reached_by(before) < level
