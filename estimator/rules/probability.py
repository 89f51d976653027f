"""How likely an accuracy is, by a forecast."""

from __future__ import annotations

import math

from scipy.special import ndtr

from estimator.values import NORMAL_90, Forecast

__all__ = ["normal_probability_below", "probability_at_least"]


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
