"""Least squares of PEng4NN's exponential by variable projection: the global optimum, for many curves at once.

    f(x) = a - b**(c - x) = a - B exp(-k (x - x_1)),   k = ln b >= 0,   B = b**(c - x_1)

x_1 is the first observation's x. For a given k the curve is linear in a and B, and the best of both within their
bounds has a closed form; so only k is searched, on a grid and then between its neighbours. The bounds are those
of the paper (arXiv 2101.04185, section III-B2): b >= 1, c >= 0 (hence B >= exp(-k x_1)), and a box for a.
The method: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimator.curve import Array
from estimator.forecasters.separable.rate_grid import RateGrid, averaged, best_on_grid, rate_grid
from estimator.forecasters.separable.rate_search import Problem, search

__all__ = ["ExponentialFits", "fit_curves", "fit_prefixes"]

LONGEST_ON_GRID = 512
"""Points of a curve beyond which the grid sees averages only; the search between its neighbours sees all."""
STEEPEST_KNOWN = 700.0


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
        """The base, up to 1e304."""
        return np.exp(np.minimum(self.rate, STEEPEST_KNOWN))

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
    coarse_x, coarse = averaged(x, accuracies, limit=LONGEST_ON_GRID)
    fits = _fit(x, accuracies, grid=RateGrid.of(rates, coarse_x), coarse=coarse, asymptotes=asymptotes)
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
        coarse_x, coarse = averaged(known_x, known, limit=LONGEST_ON_GRID)
        every[:, :, points - 1] = _fit(
            known_x, known, grid=RateGrid.of(rates, coarse_x), coarse=coarse, asymptotes=asymptotes
        )
    return _result(every, first_x=float(x[0]))


def _fit(
    x: Array, accuracies: Array, *, grid: RateGrid, coarse: Array, asymptotes: tuple[float, float]
) -> Array:
    """Asymptote, amplitude, rate and sum of squares, [4, n]."""
    mean = accuracies.mean(axis=1)
    residual = accuracies - mean[:, None]
    total = np.einsum("nt,nt->n", residual, residual)
    best = best_on_grid(coarse, grid=grid, asymptotes=asymptotes)
    last = len(grid.rates) - 1
    middle = grid.rates[best]
    upper, lower = grid.rates[np.maximum(best - 1, 0)], grid.rates[np.minimum(best + 1, last)]
    problem = Problem(distance=x - x[0], residual=residual, mean=mean, first_x=float(x[0]), box=asymptotes)
    rate = search(problem, lower=lower, middle=middle, upper=upper)
    asymptote, amplitude, squares = problem.solve(rate)
    # a rate of 0: a straight line at the mean, which is all there is to a curve whose mean is below the box
    flat = (total < squares * (1.0 - 1e-9) - 1e-9) & (mean + 1.0 <= asymptotes[1])
    asymptote = np.where(flat, mean + 1.0, asymptote)
    amplitude, rate = np.where(flat, 1.0, amplitude), np.where(flat, 0.0, rate)
    squares = np.where(flat, total, squares)
    return np.where(np.isfinite(mean), [asymptote, amplitude, rate, squares], np.nan)


def _result(fits: Array, *, first_x: float) -> ExponentialFits:
    asymptote, amplitude, rate, squares = fits
    return ExponentialFits(
        asymptote=asymptote, amplitude=amplitude, rate=rate, sum_of_squares=squares, first_x=first_x
    )
