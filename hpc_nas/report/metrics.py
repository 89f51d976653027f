"""How good estimates are, given the truth: overlap, gap of means, Kendall's tau, regret.

Pure functions of two sequences of the same length and order: `estimates` (percent, what the stopped trainings
were taken to reach) and `accuracies` (percent, what the same candidates reached at the full budget). All raise
ValueError for sequences that are empty, of unequal length, or hold a value that is not finite: leave failed
candidates out of both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["best_of", "gap", "kendall_tau", "num_best", "overlap", "regret"]

_SLACK = 1e-9


def overlap(estimates: ArrayLike, accuracies: ArrayLike, *, percent: float) -> float:
    """Share (0..1) of the truly best `percent` of the candidates that are also among the best by estimate.

    PEng4NN, section IV-C1 and Table IV: |truth and estimated| / |truth|, both sets of the same size
    (`num_best`). Equal values rank by position.
    """
    estimated, true = _checked(estimates, accuracies)
    size = num_best(len(true), percent=percent)
    common = np.intersect1d(_best(estimated, size=size), _best(true, size=size))
    return len(common) / size


def gap(estimates: ArrayLike, accuracies: ArrayLike, *, percent: float) -> float:
    """Mean true accuracy of the truly best `percent` less that of the best by estimate, points (>= 0).

    PEng4NN, section IV-C2 and Table V. Both means are of true accuracies.
    """
    estimated, true = _checked(estimates, accuracies)
    size = num_best(len(true), percent=percent)
    difference = true[_best(true, size=size)].mean() - true[_best(estimated, size=size)].mean()
    return float(max(difference, 0.0))


def kendall_tau(estimates: ArrayLike, accuracies: ArrayLike) -> float:
    """Rank correlation of estimates and truth, -1..1: Kendall's tau-b, which corrects for ties.

    NaN where it is not defined: a single candidate, or all of one side equal.
    """
    estimated, true = _checked(estimates, accuracies)
    if len(true) < 2 or np.ptp(estimated) == 0 or np.ptp(true) == 0:
        return math.nan
    return float(stats.kendalltau(estimated, true).statistic)


def regret(estimates: ArrayLike, accuracies: ArrayLike, *, num_retrained: int = 1) -> float:
    """The true best less the true accuracy of the winner by estimate, points (>= 0).

    With `num_retrained` = k the k best by estimate are trained to the end, and the best of these is the winner:
    how candidates are used after a search (Egele, i-Epoch).
    """
    estimated, true = _checked(estimates, accuracies)
    if not 1 <= num_retrained <= len(true):
        raise ValueError(f"num_retrained = {num_retrained} of {len(true)} candidates; use 1 to {len(true)}")
    return float(true.max() - true[_best(estimated, size=num_retrained)].max())


def num_best(num_candidates: int, *, percent: float) -> int:
    """How many candidates the best `percent` are: rounded up, so at least one."""
    if not 0.0 < percent <= 100.0:
        raise ValueError(f"percent = {percent}; use more than 0, at most 100")
    return max(1, math.ceil(num_candidates * percent / 100.0 - _SLACK))


def best_of(values: ArrayLike, *, percent: float) -> NDArray[np.intp]:
    """Positions of the best `percent` of the values, the highest first; equal values rank by position."""
    array = np.asarray(values, dtype=np.float64)
    return _best(array, size=num_best(len(array), percent=percent))


def _best(values: NDArray[np.float64], *, size: int) -> NDArray[np.intp]:
    return np.argsort(-values, kind="stable")[:size]


def _checked(estimates: ArrayLike, accuracies: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    arrays: Sequence[NDArray[np.float64]] = [
        np.asarray(values, dtype=np.float64) for values in (estimates, accuracies)
    ]
    shapes = [array.shape for array in arrays]
    if shapes[0] != shapes[1] or len(shapes[0]) != 1 or not shapes[0][0]:
        raise ValueError(
            f"estimates of shape {shapes[0]}, accuracies of shape {shapes[1]}; give two equal, non-empty rows"
        )
    for name, array in zip(("estimates", "accuracies"), arrays, strict=True):
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            raise ValueError(
                f"{name}[{bad[0]}] = {array[bad[0]]}; leave out candidates without an estimate or a truth"
            )
    return arrays[0], arrays[1]
