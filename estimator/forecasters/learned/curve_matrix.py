"""Learning curves side by side: what was known of all of them at an epoch, and the features of a regression.

Features are on the scale of scores (see `score_of`), and relative to the best score so far, so that curves that differ
by a factor of the error look alike: level, distances of the latest accuracy and of the mean from the best, recent gains
(docs/science.md, "Learning from finished curves").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.curve import SLACK, Array, Curve

__all__ = ["CurveMatrix", "Series", "accuracy_of", "curve_features", "score_of", "signal_features"]

LOWEST_LOSS, HIGHEST_LOSS = 1e-6, 1e3
"""Training losses are clipped to these, so that one extreme loss does not dominate a regression."""

WINDOW = 3
"""Observations in a mean of the latest ones."""

STEPS = 4
"""Observations by which the longest gain looks back."""


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
        sums = np.zeros((len(values), values.shape[1] + 1))
        np.cumsum(values, axis=1, out=sums[:, 1:])
        return cls(values=values, sums=sums)

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
    better, NaN where unknown (a loss that is not finite is). None stands for one that no curve ends with.
    """

    epochs: Array  # [n, m]; infinite beyond a curve's end
    scores: Series
    best: Array  # [n, m]: the highest score so far
    signals: tuple[Series | None, Series | None]
    lengths: NDArray[np.intp]  # [n]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> CurveMatrix:
        lengths = np.array([len(curve) for curve in curves], dtype=np.intp)
        shape = (len(curves), int(lengths.max(initial=1)))
        epochs = _filled([curve.epochs for curve in curves], shape, filling=np.inf)
        scores = score_of(_filled([curve.val_accuracy for curve in curves], shape, filling=0.0))
        return cls(
            epochs=epochs,
            scores=Series.of(scores),
            best=np.maximum.accumulate(scores, axis=1),
            signals=(
                _series([curve.train_accuracy for curve in curves], shape, score_of),
                _series([curve.train_loss for curve in curves], shape, _training_loss),
            ),
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


def _filled(columns: Sequence[Array], shape: tuple[int, int], *, filling: float) -> Array:
    """One row per column, filled up to a matrix of `shape`."""
    matrix = np.full(shape, filling)
    for row, column in zip(matrix, columns, strict=True):
        row[: len(column)] = column
    return matrix


def _series(
    columns: Sequence[Array], shape: tuple[int, int], to_signal: Callable[[Array], Array]
) -> Series | None:
    if not any(len(column) and math.isfinite(column[-1]) for column in columns):
        return None
    return Series.of(to_signal(_filled(columns, shape, filling=np.nan)))


def _training_loss(losses: Array) -> Array:
    signal = -np.log(np.clip(losses, LOWEST_LOSS, HIGHEST_LOSS))
    signal[~np.isfinite(losses)] = np.nan
    return signal


def curve_features(curves: CurveMatrix, epoch: float) -> tuple[Array, Array]:
    """Seven features of each curve at `epoch`, [n, 7], and the highest score up to there, [n].

    A curve counts with its latest observation at or before `epoch`, or its first where there is none yet.
    """
    count = np.maximum(curves.num_observed(epoch), 1)
    last = count - 1
    first = np.zeros_like(last)
    best = curves.best_at(last)
    half = np.maximum(curves.num_observed(epoch / 2.0) - 1, 0)
    columns = (
        best,
        curves.scores.at(last) - best,
        curves.scores.mean(first, count) - best,
        best - curves.best_at(half),
        best - curves.best_at(np.maximum(last - 1, 0)),
        curves.scores.mean(np.maximum(count - WINDOW, 0), count) - best,
        best - curves.best_at(np.maximum(last - STEPS, 0)),
    )
    return np.column_stack(columns), best


def signal_features(curves: CurveMatrix, signal: Series, epoch: float) -> Array:
    """Two features of a training signal at `epoch`, [n, 2]; NaN where it is not known all the way.

    How far training is ahead of the best validation, and how far it has come. (Its level, its mean and that of
    the latest half as well, as in the prototype, gave larger errors on all three recorded sets that have one.)
    """
    count = np.maximum(curves.num_observed(epoch), 1)
    last = count - 1
    latest = signal.at(last)
    known = np.where(np.isfinite(signal.sums[np.arange(len(count)), count]), latest, np.nan)
    return np.column_stack((known - curves.best_at(last), known - signal.at(np.zeros_like(last))))
