"""The grid of rates for the exponential's least squares: which rate fits each curve best; averages of long curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.curve import Array

__all__ = ["RateGrid", "averaged", "best_on_grid", "rate_grid"]

NUM_FLAT, NUM_CURVED = 7, 57
"""Rates of the grid on which the curve is all but a straight line, and of the rest."""
FLATTEST, CURVED, STEEPEST = 1e-6, 0.02, 40.0
"""Rate times the range of x, from a rise that can't be seen to where lines begin to bend; rate times the least
step of x, where nothing is left of the exponential at the second observation."""
GRID_ROWS = 64


def rate_grid(x: Array) -> Array:
    """Rates k > 0 that span everything between a flat line and a step over these `x`, falling."""
    extent = max(float(x[-1] - x[0]), 1e-100)
    step = max(float(np.diff(x).min()), 1e-12 * extent)
    flat = np.geomspace(FLATTEST / extent, CURVED / extent, NUM_FLAT, endpoint=False)
    return np.concatenate([flat, np.geomspace(CURVED / extent, STEEPEST / step, NUM_CURVED)])[::-1].copy()


@dataclass(frozen=True, kw_only=True, slots=True)
class RateGrid:
    """What the grid needs of its rates and of x: the exponentials' sums and their deviations from the mean."""

    rates: Array  # [K]
    points: int
    centred: Array  # [T, K]
    means: Array  # [K], as all that follow
    sums: Array
    twice_sums: Array
    minus_inverse_variances: Array  # of the sums of squared deviations
    weights: Array  # sums of squares
    inverse_weights: Array
    least: Array  # lower bound of the amplitude

    @classmethod
    def of(cls, rates: Array, x: Array) -> RateGrid:
        # expm1 keeps the digits of a rise that is tiny against 1
        rise = -np.expm1(-np.outer(x - x[0], rates))
        mean_rise = rise.mean(axis=0)
        centred, means, points = mean_rise - rise, 1.0 - mean_rise, len(x)
        variances = np.einsum("tk,tk->k", centred, centred)
        weights = variances + points * means**2
        return cls(
            rates=rates,
            points=points,
            centred=centred,
            means=means,
            sums=points * means,
            twice_sums=2.0 * points * means,
            minus_inverse_variances=-1.0 / variances,
            weights=weights,
            inverse_weights=1.0 / weights,
            least=np.exp(-rates * x[0]),
        )


def best_on_grid(accuracies: Array, *, grid: RateGrid, asymptotes: tuple[float, float]) -> NDArray[np.intp]:
    """Which rate of the grid has the least sum of squares, for each row of accuracies [n, T]."""
    mean = accuracies.mean(axis=1, keepdims=True)
    lowest, highest = asymptotes[0] - mean, asymptotes[1] - mean
    covariance = (accuracies - mean) @ grid.centred
    best = np.empty(len(accuracies), dtype=np.intp)
    # a few rows at a time: what stays in the processor's cache costs a quarter
    for start in range(0, len(accuracies), GRID_ROWS):
        rows = slice(start, start + GRID_ROWS)
        sums = _grid_sums(covariance[rows], grid=grid, lowest=lowest[rows], highest=highest[rows])
        np.argmin(sums, axis=1, out=best[rows])
    return best


def _grid_sums(covariance: Array, *, grid: RateGrid, lowest: Array, highest: Array) -> Array:
    """The least sum of squares at each rate of the grid, less that of the mean, [n, K]: as `Problem` solves it."""
    scratch = covariance * grid.minus_inverse_variances
    np.maximum(scratch, grid.least, out=scratch)
    scratch *= grid.means
    np.maximum(scratch, lowest, out=scratch)
    offset = np.minimum(scratch, highest, out=scratch)
    amplitude = offset * grid.sums
    amplitude -= covariance
    amplitude *= grid.inverse_weights
    np.maximum(amplitude, grid.least, out=amplitude)
    # n (offset - B mean)**2 + B**2 variance + 2 B covariance, with weight = variance + n mean**2
    result = amplitude * grid.weights
    result += 2.0 * covariance
    twice = offset * grid.twice_sums
    result -= twice
    result *= amplitude
    offset *= offset
    offset *= grid.points
    result += offset
    return result


def averaged(x: Array, accuracies: Array, *, limit: int) -> tuple[Array, Array]:
    """Neighbours averaged, so that at most `limit` remain of x [T] and of accuracies [n, T]."""
    group = -(-len(x) // limit)
    if group == 1:
        return x, accuracies
    starts = np.arange(0, len(x), group)
    sizes = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / sizes, np.add.reduceat(accuracies, starts, axis=1) / sizes
