"""What a sequential regression learns from: features of finished curves at the candidate's own observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimator.curve import SLACK, Array, Curve
from estimator.values import Numbers

__all__ = ["RegressionData", "common_names", "curve_row", "observed_epochs", "regression_data"]

MOST_POINTS = 400
"""Of one curve: each gives three features, and the time of a fit grows with their number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegressionData:
    """n finished curves as seen at some epochs: their features, [n, k], and their best accuracies, percent, [n]."""

    features: Array
    accuracies: Array


def regression_data(
    curves: Sequence[Curve], epochs: Array, *, described: Sequence[Numbers] = (), names: Sequence[str] = ()
) -> RegressionData:
    """The first regression of Baker et al. has one of `epochs`, the next two, and so on (section 2).

    Time-series features are the accuracies at these epochs and their first and second differences; then come
    the features called `names`, which each candidate must be `described` by (architecture, hyperparameters).
    A curve counts at each epoch with its latest observation at or before it, or its first where there is none
    yet. Its outcome is its best accuracy: the paper forecasts the last one, but a search ranks by the best.
    """
    seen = np.array([_seen_at(curve, epochs) for curve in curves])
    return RegressionData(
        features=_with_differences(seen, _numbers(described, names, len(curves))),
        accuracies=np.array([curve.best_accuracy for curve in curves]),
    )


def observed_epochs(curve: Curve) -> Array:
    """The epochs that a regression for this curve is of: all, or of a very long curve that many, evenly."""
    if len(curve) <= MOST_POINTS:
        return curve.epochs
    return curve.epochs[np.linspace(0, len(curve) - 1, MOST_POINTS).round().astype(np.intp)]


def curve_row(curve: Curve, *, described: Numbers = (), names: Sequence[str] = ()) -> Array:
    """The features of one curve at its `observed_epochs`, [1, k], as `regression_data` makes them."""
    seen = _seen_at(curve, observed_epochs(curve))[None, :]
    return _with_differences(seen, _numbers([described], names, 1))


def common_names(described: Sequence[Numbers]) -> tuple[str, ...]:
    """The names by which all are described, in the order of the first."""
    if not described:
        return ()
    shared = set.intersection(*({name for name, _ in features} for features in described))
    return tuple(name for name, _ in described[0] if name in shared)


def _seen_at(curve: Curve, epochs: Array) -> Array:
    index = np.searchsorted(curve.epochs, epochs + SLACK, side="right") - 1
    return curve.val_accuracy[np.maximum(index, 0)]


def _with_differences(seen: Array, numbers: Array) -> Array:
    return np.column_stack((seen, np.diff(seen, axis=1), np.diff(seen, n=2, axis=1), numbers))


def _numbers(described: Sequence[Numbers], names: Sequence[str], num_rows: int) -> Array:
    rows = [[dict(features)[name] for name in names] for features in described] if names else []
    return np.array(rows, dtype=np.float64).reshape(num_rows, len(names))
