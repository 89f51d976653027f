"""The exponential's least squares as a function of the rate alone, and the search for its minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estimator.curve import Array

__all__ = ["Problem", "search"]

MAX_REFINEMENTS = 40
CLOSE, NEAREST = 1e-8, 1e-13
"""A search ends when it can win no more than this share of the sum of squares, or its bracket is as narrow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
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

    def of(self, rows: NDArray[np.bool_]) -> Problem:
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


def search(problem: Problem, *, lower: Array, middle: Array, upper: Array) -> Array:
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
