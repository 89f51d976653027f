"""Least squares of PEng4NN's exponential by variable projection: the global optimum, for many curves at once.

    f(x) = a - b**(c - x) = a - B exp(-k (x - x_1)),   k = ln b >= 0,   B = b**(c - x_1)

x_1 is the first observation's x. For a given k the curve is linear in a and B, and the best of both within their
bounds has a closed form; so only k is searched, on a grid and then between its neighbours. The bounds are those
of the paper (arXiv 2101.04185, section III-B2): b >= 1, c >= 0 (hence B >= exp(-k x_1)), and a box for a.
The method: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "ExponentialFits", "fit_curves", "fit_prefixes", "rate_grid"]

Array: TypeAlias = NDArray[np.float64]

NUM_FLAT, NUM_CURVED = 7, 57
"""Rates of the grid on which the curve is all but a straight line, and of the rest."""
FLATTEST, CURVED, STEEPEST = 1e-6, 0.02, 40.0
"""Rate times the range of x, from a rise that nobody can see to where lines begin to bend; rate times the least
step of x, where nothing is left of the exponential at the second observation."""
GRID_ROWS = 64
MAX_REFINEMENTS = 40
CLOSE, NEAREST = 1e-8, 1e-13
"""A search ends when it can win no more than this share of the sum of squares, or its bracket is as narrow."""
LARGEST_GRID_BATCH = 512
"""Points of a curve beyond which the grid sees averages only; the search between its neighbours sees all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExponentialFits:
    """Fitted parameters, each of the same shape: asymptote a, amplitude B, rate k, sum of squared residuals.

    NaN where there is no fit: too few points, or an accuracy that is not known.
    """

    asymptote: Array
    amplitude: Array
    rate: Array
    sum_of_squares: Array
    first_x: float

    @property
    def b(self) -> Array:
        """The base; infinite where the curve is a step."""
        with np.errstate(over="ignore"):
            return np.exp(self.rate)

    @property
    def c(self) -> Array:
        """The shift; 0 where the curve is flat, since any would do."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = self.first_x + np.log(self.amplitude) / self.rate
        return np.where(self.rate > 0.0, np.maximum(shift, 0.0), self.rate)

    def at(self, x: float) -> Array:
        """The fitted curves at `x`."""
        return np.asarray(self.asymptote - self.amplitude * np.exp(-self.rate * (x - self.first_x)))


def fit_curves(x: Array, accuracies: Array, *, asymptotes: tuple[float, float]) -> ExponentialFits:
    """Fit every row of `accuracies` [n, T], observed at `x` [T], which rises strictly and is above 0.

    `asymptotes` bounds a. Needs two points or more. Rows with an unknown accuracy have no fit.
    """
    rates = rate_grid(x)
    coarse_x, coarse = _averaged(x, accuracies)
    fits = _fit(x, accuracies, grid=_Grid.of(rates, coarse_x), coarse=coarse, asymptotes=asymptotes)
    return _result(fits, first_x=float(x[0]))


def fit_prefixes(
    x: Array, accuracies: Array, *, asymptotes: tuple[float, float], min_points: int = 3
) -> ExponentialFits:
    """Fit every prefix of every row of `accuracies` [n, T] from `min_points` (2 or more) on: results [n, T].

    Column t holds the fit to the first t + 1 observations.
    """
    num_curves, length = accuracies.shape
    rates = rate_grid(x)
    every = np.full((4, num_curves, length), np.nan)
    for points in range(min_points, length + 1):
        known_x, known = x[:points], accuracies[:, :points]
        coarse_x, coarse = _averaged(known_x, known)
        every[:, :, points - 1] = _fit(
            known_x, known, grid=_Grid.of(rates, coarse_x), coarse=coarse, asymptotes=asymptotes
        )
    return _result(every, first_x=float(x[0]))


def rate_grid(x: Array) -> Array:
    """Rates k > 0 that span everything between a flat line and a step over these `x`, falling."""
    extent, step = float(x[-1] - x[0]), float(np.diff(x).min())
    flat = np.geomspace(FLATTEST / extent, CURVED / extent, NUM_FLAT, endpoint=False)
    return np.concatenate([flat, np.geomspace(CURVED / extent, STEEPEST / step, NUM_CURVED)])[::-1].copy()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
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
    def of(cls, rates: Array, x: Array) -> _Grid:
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


def _fit(
    x: Array, accuracies: Array, *, grid: _Grid, coarse: Array, asymptotes: tuple[float, float]
) -> Array:
    """Asymptote, amplitude, rate and sum of squares, [4, n]."""
    mean = accuracies.mean(axis=1)
    residual = accuracies - mean[:, None]
    total = np.einsum("nt,nt->n", residual, residual)
    best = _grid_best(coarse, grid=grid, asymptotes=asymptotes)
    last = len(grid.rates) - 1
    middle = grid.rates[best]
    upper, lower = grid.rates[np.maximum(best - 1, 0)], grid.rates[np.minimum(best + 1, last)]
    problem = _Problem(distance=x - x[0], residual=residual, mean=mean, first_x=float(x[0]), box=asymptotes)
    rate = _refine(problem, lower=lower, middle=middle, upper=upper)
    asymptote, amplitude, squares = problem.solve(rate)
    # a rate of 0: a straight line at the mean, which is all there is to a curve whose mean is below the box
    flat = total < squares * (1.0 - 1e-9)
    asymptote = np.where(flat, mean + 1.0, asymptote)
    amplitude, rate = np.where(flat, 1.0, amplitude), np.where(flat, 0.0, rate)
    squares = np.where(flat, total, squares)
    return np.where(np.isfinite(mean), [asymptote, amplitude, rate, squares], np.nan)


def _grid_best(accuracies: Array, *, grid: _Grid, asymptotes: tuple[float, float]) -> NDArray[np.intp]:
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


def _grid_sums(covariance: Array, *, grid: _Grid, lowest: Array, highest: Array) -> Array:
    """The least sum of squares at each rate of the grid, less that of the mean, [n, K]: see `_linear`."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Problem:
    """The sums of squares of n curves, each at a rate of its own."""

    distance: Array  # x - x_1, [T]
    residual: Array  # accuracies less their mean, [n, T]
    mean: Array  # [n]
    first_x: float
    box: tuple[float, float]

    def solve(self, rate: Array) -> tuple[Array, Array, Array]:
        """Best asymptote and amplitude for each rate, and their sum of squares; each [n]."""
        power = np.exp(-rate[:, None] * self.distance)
        offset, amplitude = self._linear(rate, power)
        error = self.residual - offset[:, None] + amplitude[:, None] * power
        return self.mean + offset, amplitude, np.einsum("nt,nt->n", error, error)

    def slope(self, rate: Array) -> tuple[Array, Array]:
        """Derivative of the least sum of squares by ln(rate), halved (envelope theorem), and that sum, [n]."""
        power = np.exp(-rate[:, None] * self.distance)
        offset, amplitude = self._linear(rate, power)
        error = self.residual - offset[:, None] + amplitude[:, None] * power
        squares = np.einsum("nt,nt->n", error, error)
        error *= power
        slope = -amplitude * (error @ self.distance)
        least = np.exp(-rate * self.first_x)
        bound = np.where(amplitude <= least, -self.first_x * least * error.sum(axis=1), 0.0)
        return rate * (slope + bound), squares

    def of(self, rows: NDArray[np.bool_]) -> _Problem:
        """The same for some of the curves."""
        return replace(self, residual=self.residual[rows], mean=self.mean[rows])

    def _linear(self, rate: Array, power: Array) -> tuple[Array, Array]:
        """Asymptote less the mean, and amplitude: clip the free optimum to the bound of the amplitude, then to
        the box, then find the best amplitude on the side of the box. Exact, because the problem is convex.
        """
        points = len(self.distance)
        mean_power = power.mean(axis=1)
        covariance = np.einsum("nt,nt->n", self.residual, power)
        centred = power - mean_power[:, None]
        variance = np.maximum(np.einsum("nt,nt->n", centred, centred), 1e-300)
        least = np.exp(-rate * self.first_x)
        free = np.maximum(-covariance / variance, least)
        lowest, highest = self.box
        offset = np.clip(self.mean + free * mean_power, lowest, highest) - self.mean
        weight = variance + points * mean_power**2
        return offset, np.maximum((offset * points * mean_power - covariance) / weight, least)


def _refine(problem: _Problem, *, lower: Array, middle: Array, upper: Array) -> Array:
    """The rate between two neighbours of the grid's best where the slope is zero (Chandrupatla, Adv. Eng.
    Softw. 28 (1997): inverse quadratic interpolation where it is safe, bisection elsewhere).
    """
    rate = middle.copy()
    at = np.log(middle)
    slope, squares = problem.slope(middle)
    other = np.log(np.where(slope < 0.0, upper, lower))
    other_slope, _ = problem.slope(np.exp(other))
    third, third_slope = other, other_slope
    open_ = slope * other_slope < 0.0
    rows = np.arange(len(rate))
    step = np.full(len(rate), 0.5)
    for _ in range(MAX_REFINEMENTS):
        # what is left to win is at most the slope times the bracket
        open_ &= np.abs(slope * (other - at)) > CLOSE * squares
        if not open_.any():
            break
        if not open_.all():
            rows, problem, step = rows[open_], problem.of(open_), step[open_]
            at, other, third = at[open_], other[open_], third[open_]
            slope, other_slope, third_slope = slope[open_], other_slope[open_], third_slope[open_]
        trial = at + step * (other - at)
        trial_slope, squares = problem.slope(np.exp(trial))
        same = (trial_slope > 0.0) == (slope > 0.0)
        third, third_slope = np.where(same, at, other), np.where(same, slope, other_slope)
        other, other_slope = np.where(same, other, at), np.where(same, other_slope, slope)
        at, slope = trial, trial_slope
        rate[rows] = np.exp(at)
        open_ = (slope != 0.0) & (np.abs(other - at) > NEAREST)
        step = _next_step(at, other, third, slope, other_slope, third_slope)
    return rate


def _next_step(at: Array, other: Array, third: Array, f: Array, f_other: Array, f_third: Array) -> Array:
    """Where between `at` (0) and `other` (1) to look next."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        place, height = (at - other) / (third - other), (f - f_other) / (f_third - f_other)
        safe = (height**2 < place) & ((1.0 - height) ** 2 < 1.0 - place)
        ahead = f / (f_other - f) * f_third / (f_other - f_third)
        step = ahead + (third - at) / (other - at) * f / (f_third - f) * f_other / (f_third - f_other)
    return np.where(safe & np.isfinite(step), np.clip(step, 1e-4, 1.0 - 1e-4), 0.5)


def _averaged(x: Array, accuracies: Array) -> tuple[Array, Array]:
    """Neighbouring points of a very long curve, averaged; others as they are."""
    group = -(-len(x) // LARGEST_GRID_BATCH)
    if group == 1:
        return x, accuracies
    starts = np.arange(0, len(x), group)
    sizes = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / sizes, np.add.reduceat(accuracies, starts, axis=1) / sizes


def _result(fits: Array, *, first_x: float) -> ExponentialFits:
    asymptote, amplitude, rate, squares = fits
    return ExponentialFits(
        asymptote=asymptote, amplitude=amplitude, rate=rate, sum_of_squares=squares, first_x=first_x
    )
