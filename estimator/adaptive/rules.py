"""The forecaster and the rules of `adaptive`: pause at every level or, where nothing can be paused, stop once all is
decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator.adaptive.levels import Levels
from estimator.adaptive.population_posterior import begins_in_full, candidate_posterior, forecast_of
from estimator.checks import require_probability
from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, pause, stop
from estimator.values import Decision, Forecast, Reason

__all__ = ["LevelForecaster", "PauseAtLevels", "StopOnceDecided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelForecaster(Forecaster):
    """The posterior mean of the candidate's final accuracy when it has just reached a level; None in between.

    Learned from all others: finished ones by their true accuracy, the rest by their own forecasts. `low` and `high`
    are the 5 % and 95 % quantiles.
    """

    alone: ClassVar[bool] = False
    levels: Levels

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not self.levels.just_reached(curve):
            return None
        one = candidate_posterior(population.history, self.levels, number=population.candidate, curve=curve)
        return None if one is None else forecast_of(one.posterior, curves=[curve])[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseAtLevels(Rule):
    """Pause at every level; the first few candidates are trained to the end. The promotion does the rest."""

    alone: ClassVar[bool] = False
    levels: Levels

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not self.levels.just_reached(curve):
            return go(forecast)
        if begins_in_full(population.history, population.candidate):
            return go(forecast)
        return pause(forecast, reason=Reason.RUNG)


@dataclass(frozen=True, kw_only=True, slots=True)
class StopOnceDecided(Rule):
    """At a level, stop a candidate that is unlikely to be on the wrong side of any of the best 10, 20 and 30 %, and
    unlikely to end above the best known: each with less than `max_error` (docs/science.md, "Pause and resume": SEQ2).
    """

    alone: ClassVar[bool] = False
    levels: Levels
    max_error: float = 0.1

    def __post_init__(self) -> None:
        require_probability("max_error", self.max_error)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, history, number = forecasts[-1], population.history, population.candidate
        if forecast is None or not self.levels.just_reached(curve):
            return go(forecast)
        one = candidate_posterior(history, self.levels, number=number, curve=curve)
        if one is None or begins_in_full(history, number):
            return go(forecast)
        if max(float(one.errors.max()), one.winning) >= self.max_error:
            return go(forecast, numbers=one.numbers)
        reason = Reason.CONVERGED if one.among_best else Reason.UNLIKELY_BEST
        return stop(forecast, reason=reason, numbers=one.numbers)
