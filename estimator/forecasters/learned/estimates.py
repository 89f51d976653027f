"""What every other candidate is worth by the latest estimate: measured where it has finished, else forecast."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.learned.curve_matrix import Array
from estimator.forecasters.learned.finished_curves import finished_curves
from estimator.history import Member, Standing
from estimator.population import Population

__all__ = ["estimates_of_others"]

_Known: TypeAlias = dict[int, tuple[Curve, int, float]]
"""By candidate: the curve and the number of its observations that an estimate rests on, and the estimate."""


def estimates_of_others(population: Population, forecaster: Forecaster) -> Array:
    """Accuracies at the full budget, percent, of all others that have one, in the order of their first event.

    A finished one counts with the best of its curve; a stopped, paused or running one with the forecast from
    all of its curve. `forecaster` must rest on a curve and the finished ones alone: an estimate is made again
    only when one of these has changed.
    """
    history = population.history
    members = finished_curves(population).members
    known: _Known = history.recall(("estimates", forecaster), members, dict)
    values = [_estimate(member, population, forecaster, known) for member in population.others]
    estimates = np.array(values, dtype=np.float64)
    return estimates[np.isfinite(estimates)]


def _estimate(member: Member, population: Population, forecaster: Forecaster, known: _Known) -> float:
    """NaN where there is none."""
    if member.standing is Standing.FINISHED:
        return member.curve.best_accuracy
    curve, length = member.curve, len(member.curve)
    before = known.get(member.candidate)
    if before is not None and before[0] is curve and before[1] == length:
        return before[2]
    forecast = forecaster.forecast(curve, Population(history=population.history, candidate=member.candidate))
    value = np.nan if forecast is None else forecast.value
    known[member.candidate] = (curve, length, value)
    return value
