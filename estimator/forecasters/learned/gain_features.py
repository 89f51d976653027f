"""What a learning curve so far says about the gain that remains: the features of the regression.

All are on the scale of scores (see `score_of`), and relative to the best so far, except that itself: so curves
that differ by a factor of the error look alike. The list is that of ESTIMATORS.md's prototype in spirit: level,
distance of the latest and of the mean from the best, and how much was gained lately.
"""

from __future__ import annotations

import numpy as np

from estimator.forecasters.learned.curve_matrix import Array, CurveMatrix, Series

__all__ = ["curve_features", "signal_features"]

WINDOW = 3
"""Observations in a mean of the latest ones."""

STEPS = 4
"""Observations that a longer look back goes."""


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
