"""Learning curves side by side: matrices that answer "what was known at epoch t?" for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from estimator.curve import Curve
from estimator.rules.loss import SLACK

__all__ = ["Array", "CurveMatrix", "Series", "accuracy_of", "score_of"]

Array: TypeAlias = NDArray[np.float64]

LOWEST_LOSS, HIGHEST_LOSS = 1e-6, 1e3
"""Training losses are clipped to these, so that one extreme loss is not all that a regression sees."""


def score_of(accuracy: Array) -> Array:
    """z = -log(101 - accuracy): equal steps are equal factors of the error, give or take its one point."""
    return -np.log(101.0 - accuracy)


def accuracy_of(score: Array) -> Array:
    """The accuracy in percent that has this score."""
    return 101.0 - np.exp(-score)


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One quantity of n curves at m observations, with its sums so far, so that any mean is one difference."""

    values: Array  # [n, m]; NaN where unknown
    sums: Array  # [n, m + 1]; NaN from the first unknown value on

    @classmethod
    def of(cls, values: Array) -> Series:
        return cls(values=values, sums=np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0))))

    def mean(self, start: NDArray[np.intp], stop: NDArray[np.intp]) -> Array:
        """Means over observations `start` .. `stop - 1` of each curve, [n]; `stop` > `start`."""
        rows = np.arange(len(self.sums))
        return (self.sums[rows, stop] - self.sums[rows, start]) / (stop - start)

    def at(self, index: NDArray[np.intp]) -> Array:
        """The values at one observation of each curve, [n]."""
        return self.values[np.arange(len(self.values)), index]


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveMatrix:
    """n curves of up to m observations; shorter ones are filled up with what is at no epoch.

    `signals` are the training accuracy (as a score) and the training loss (as minus its logarithm): larger is
    better, NaN where unknown (a loss that is not finite is).
    """

    epochs: Array  # [n, m]; infinite beyond a curve's end
    scores: Series
    best: Array  # [n, m]: the highest score so far
    signals: tuple[Series, Series]
    lengths: NDArray[np.intp]  # [n]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> CurveMatrix:
        lengths = np.array([len(curve) for curve in curves], dtype=np.intp)
        width = int(lengths.max(initial=1))
        columns = np.full((4, len(curves), width), np.nan)
        columns[0], columns[1] = np.inf, 0.0
        for row, curve in enumerate(curves):
            length = len(curve)
            columns[0, row, :length] = curve.epochs
            columns[1, row, :length] = curve.val_accuracy
            columns[2, row, :length] = curve.train_accuracy
            columns[3, row, :length] = curve.train_loss
        scores = score_of(columns[1])
        train_loss = -np.log(np.clip(columns[3], LOWEST_LOSS, HIGHEST_LOSS))
        train_loss[~np.isfinite(columns[3])] = np.nan
        return cls(
            epochs=columns[0],
            scores=Series.of(scores),
            best=np.maximum.accumulate(scores, axis=1),
            signals=(Series.of(score_of(columns[2])), Series.of(train_loss)),
            lengths=lengths,
        )

    def num_observed(self, epoch: float) -> NDArray[np.intp]:
        """How many observations each curve has at or before `epoch`, [n]."""
        count: NDArray[np.intp] = np.sum(self.epochs <= epoch + SLACK, axis=1, dtype=np.intp)
        return count

    def best_at(self, index: NDArray[np.intp]) -> Array:
        """The highest score up to one observation of each curve, [n]."""
        return self.best[np.arange(len(self.best)), index]

    @property
    def final(self) -> Array:
        """The highest score of each whole curve, [n]."""
        return self.best_at(self.lengths - 1)
