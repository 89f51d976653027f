"""Forecaster: the training loss so far as a score, told as an accuracy of the population.

The sum of training losses ranks candidates early (Ru et al., arXiv 2006.04492: SoTL, later TSE); a loss is no
accuracy, so what is told is the accuracy that a candidate of this rank has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.learned.curve_matrix import SLACK, Array
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["RankedSignal", "Signal"]


class Signal(StrEnum):
    """What ranks candidates that have been trained for as many epochs."""

    BEST = "best"  # the highest validation accuracy so far
    TRAIN_LOSS = "train_loss"  # the sum of training losses so far, the lower the better
    BLEND = "blend"  # the mean of both ranks


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedSignal(Forecaster):
    """The candidate's rank by `signal` among all that were as far, as the best accuracy so far at that rank.

    The others count as they were at this candidate's epoch, whatever became of them. The sum of losses is
    taken over epochs, so that it does not depend on how often was validated. The value is of the scale of
    accuracies, but coarse while few are known, and it may be below the candidate's own best; its spread is
    not known. Where the candidate has an observation without a training loss, or nobody else has one, it is
    the best so far.
    """

    alone: ClassVar[bool] = False
    signal: Signal = Signal.BLEND

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        value = self._value(curve, population) if self.signal is not Signal.BEST else curve.best_accuracy
        return Forecast(value=value, spread=math.nan, at_max_epochs=value, num_points=len(curve))

    def _value(self, curve: Curve, population: Population) -> float:
        epoch, best = curve.last_epoch, curve.best_accuracy
        own = _sum_of_losses(curve, len(curve))
        known = [_at(member.curve, epoch) for member in population.others]
        others = np.array([pair for pair in known if all(map(math.isfinite, pair))]).reshape(-1, 2)
        if not (math.isfinite(own) and len(others)):
            return best
        rank = _share_below(-own, -others[:, 1])
        if self.signal is Signal.BLEND:
            rank = (rank + _share_below(best, others[:, 0])) / 2.0
        return float(np.quantile(np.append(others[:, 0], best), rank))


def _at(curve: Curve, epoch: float) -> tuple[float, float]:
    """Best accuracy and sum of training losses up to `epoch`; NaN if it has not come as far."""
    if curve.last_epoch < epoch - SLACK:
        return math.nan, math.nan
    length = int(np.searchsorted(curve.epochs, epoch + SLACK, side="right"))
    if not length:
        return math.nan, math.nan
    return float(curve.val_accuracy[:length].max()), _sum_of_losses(curve, length)


def _sum_of_losses(curve: Curve, length: int) -> float:
    """Training loss times epochs, summed over the first `length` observations; not finite where one is not."""
    epochs = np.diff(curve.epochs[:length], prepend=0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # losses of 1e308, or infinite ones of both signs
        return float(curve.train_loss[:length] @ epochs)


def _share_below(value: float, others: Array) -> float:
    """The share of the others that are below, ties by half."""
    return float(np.mean(others < value) + 0.5 * np.mean(others == value))
