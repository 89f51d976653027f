"""Rules: stop a candidate that is unlikely to be the best, or among the best; how likely an accuracy is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from estimator.checks import require_at_least, require_count, require_positive, require_probability
from estimator.curve import SLACK, Curve
from estimator.forecasters import Forecaster, RemainingGain
from estimator.forecasters.learned.finished_curves import estimates_of_others
from estimator.history import Standing
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.values import NORMAL_90, Decision, Forecast, Reason

__all__ = [
    "CHECKPOINTS",
    "PredictiveTermination",
    "UnlikelyBest",
    "UnlikelyTop",
    "normal_probability_below",
    "probability_at_least",
]


def normal_probability_below(accuracy: float, forecast: Forecast) -> float:
    """P(final accuracy <= `accuracy`) for a normal distribution of the forecast's spread; NaN where unknown."""
    return _below(accuracy - forecast.value, forecast.spread)


def probability_at_least(accuracy: float, forecast: Forecast) -> float:
    """P(final accuracy >= `accuracy`); NaN where the forecast has no spread.

    Where the forecaster has an interval of its own, errors are taken to be normal on the scale of
    log(101 - accuracy), as wide to each side as that interval: a network at 30 % may yet reach 90 %, but one
    at 98 % can't gain as many points.
    """
    low, high = forecast.low, forecast.high
    if not (math.isfinite(low) and math.isfinite(high)):
        return 1.0 - normal_probability_below(accuracy, forecast)
    middle = _score(forecast.value)
    step = _score(accuracy) - middle
    side = _score(high) - middle if step > 0.0 else middle - _score(low)
    return 1.0 - _below(step, side / NORMAL_90)


def _score(accuracy: float) -> float:
    return -math.log(101.0 - min(accuracy, 100.0))


def _below(distance: float, deviation: float) -> float:
    """P(error <= distance) of a normal distribution; a deviation of 0 leaves no doubt."""
    if deviation > 0.0:
        return float(ndtr(distance / deviation))
    return math.nan if math.isnan(deviation) else float(distance >= 0.0)


def _is_at_checkpoint(curve: Curve, checkpoints: Sequence[float], *, max_epochs: float) -> bool:
    """Whether the latest observation is the first at or after one of these shares of `max_epochs`."""
    before = curve.epochs[-2] if len(curve) > 1 else 0.0
    return any(before < share * max_epochs - SLACK <= curve.last_epoch for share in checkpoints)


def _require_checkpoints(checkpoints: Sequence[float]) -> None:
    """Each is a share between 0 and 1, neither of them; raises ValueError."""
    for share in checkpoints:
        require_probability("checkpoints", share)


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictiveTermination(Rule):
    """Stop at a checkpoint if P(final accuracy > best seen in the population) < `probability` (section 4).

    A checkpoint is the first observation at or after that share of `max_epochs`. While no other has been
    observed, and where a forecast has no spread, all go on; so does a candidate that has itself reached the best.
    """

    alone: ClassVar[bool] = False
    max_epochs: float
    probability: float = 0.05
    checkpoints: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75)

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_probability("probability", self.probability)
        _require_checkpoints(self.checkpoints)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not _is_at_checkpoint(curve, self.checkpoints, max_epochs=self.max_epochs):
            return go(forecast)
        best = max(
            (member.curve.best_accuracy for member in population.others if len(member.curve)), default=None
        )
        if best is None:
            return go(forecast)
        likely = probability_at_least(best, forecast)
        numbers = (("probability", likely), ("best", best))
        if likely < self.probability and curve.best_accuracy < best:
            return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
        return go(forecast, numbers=numbers)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlikelyBest(Rule):
    """Stop when P(final accuracy <= that of the `rank`-th best candidate - `margin`) >= `certainty`.

    The forecast is taken to be normal around its value, with its spread. The best are those of the candidates
    that were trained to the end; until `burn_in` of them have been, all go on. The paper's symbols: n (`rank`),
    delta (`margin`, points), Delta (`certainty`).
    """

    alone: ClassVar[bool] = False
    certainty: float = 0.95
    margin: float = 0.0
    rank: int = 1
    burn_in: int = 20

    def __post_init__(self) -> None:
        require_probability("certainty", self.certainty)
        require_at_least("margin", self.margin, minimum=0.0)
        require_count("rank", self.rank, minimum=1)
        require_count("burn_in", self.burn_in, minimum=1)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None:
            return go(forecast)
        reached = sorted((member.curve.best_accuracy for member in population.finished), reverse=True)
        if len(reached) < max(self.burn_in, self.rank):
            return go(forecast)
        to_beat = reached[self.rank - 1] - self.margin
        certainty = normal_probability_below(to_beat, forecast)
        numbers = (("probability", certainty), ("to_beat", to_beat))
        if certainty >= self.certainty:
            return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
        return go(forecast, numbers=numbers)


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
        _require_checkpoints(self.checkpoints)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not _is_at_checkpoint(curve, self.checkpoints, max_epochs=self.max_epochs):
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
