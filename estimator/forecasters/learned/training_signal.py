"""Forecaster: the training loss so far as a score, told as an accuracy of the population.

The sum of training losses ranks candidates early (Ru et al., arXiv 2006.04492: SoTL, later TSE); a loss is no
accuracy, so what is told is the accuracy that a candidate of this rank has.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from estimator.curve import SLACK, Array, Curve
from estimator.forecasters.base import Forecaster
from estimator.history import Member
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["RankedSignal", "RankingSignal"]


class RankingSignal(StrEnum):
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
    not known. Where the candidate has an observation without a training loss, or no other has one, it is
    the best so far.
    """

    alone: ClassVar[bool] = False
    signal: RankingSignal = RankingSignal.BLEND

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        value = (
            self._value(curve, population) if self.signal is not RankingSignal.BEST else curve.best_accuracy
        )
        return Forecast(value=value, spread=math.nan, at_max_epochs=value, num_points=len(curve))

    def _value(self, curve: Curve, population: Population) -> float:
        own = _RunningTotals.of(curve)
        epoch, best, summed = curve.last_epoch, curve.best_accuracy, float(own.losses[-1])
        known: dict[int, _RunningTotals] = population.history.recall("signals of members", None, dict)
        pairs = [_running_totals(member, known).at(epoch) for member in population.others]
        others = np.array([pair for pair in pairs if pair is not None], dtype=np.float64).reshape(-1, 2)
        others = others[np.isfinite(others[:, 1])]
        if not (math.isfinite(summed) and len(others)):
            return best
        rank = _share_below(-summed, -others[:, 1])
        if self.signal is RankingSignal.BLEND:
            rank = (rank + _share_below(best, others[:, 0])) / 2.0
        return float(np.quantile(np.append(others[:, 0], best), rank))


@dataclass(frozen=True, kw_only=True, slots=True)
class _RunningTotals:
    """The first `length` observations of a curve: best accuracy and sum of training losses at each."""

    curve: Curve
    length: int
    epochs: Array
    best: Array
    losses: Array  # loss times epochs, summed; not finite from the first one on that is not

    @classmethod
    def of(cls, curve: Curve) -> _RunningTotals:
        with np.errstate(over="ignore", invalid="ignore"):  # losses of 1e308, or infinite ones of both signs
            losses = np.cumsum(curve.train_loss * np.diff(curve.epochs, prepend=0.0))
        best = np.maximum.accumulate(curve.val_accuracy)
        return cls(curve=curve, length=len(curve), epochs=curve.epochs, best=best, losses=losses)

    def at(self, epoch: float) -> tuple[float, float] | None:
        """Best accuracy and sum of losses up to `epoch`; None if the curve ends before, or begins after it."""
        index = bisect_right(self.epochs, epoch + SLACK) - 1
        if index < 0 or self.epochs[-1] < epoch - SLACK:
            return None
        return float(self.best[index]), float(self.losses[index])


def _running_totals(member: Member, known: dict[int, _RunningTotals]) -> _RunningTotals:
    """That of a member, made again only if its curve has grown."""
    before = known.get(member.candidate)
    if before is not None and before.curve is member.curve and before.length == len(member.curve):
        return before
    known[member.candidate] = totals = _RunningTotals.of(member.curve)
    return totals


def _share_below(value: float, others: Array) -> float:
    """The share of the others that are below, ties by half."""
    return float(np.mean(others < value) + 0.5 * np.mean(others == value))
