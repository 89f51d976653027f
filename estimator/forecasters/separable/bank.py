"""Forecaster: the best accuracy at the full budget, by a posterior over families of learning curves.

The idea is Domhan et al.'s (IJCAI 2015); the integral is a sum instead of a Markov chain. On a grid of shapes
(`families`) and noise levels, the accuracies at the first observation and at the full budget are linear
parameters with normal priors: evidence, mean and variance have closed forms. Weights are evidence times the
probability that the accuracy stays below 100. Three things calibrate the intervals: the noise is taken to be
larger than what neighbouring observations show, because it stands for the families' misfit as well; residuals
of a curve that fits badly are alike, so n observations count as fewer; and with some probability the curve does
what no family knows: mostly nothing more, now and then a late jump anywhere up to 100.

The constants were chosen on recorded curves (LEMUR mnist and imagenette, random CNNs on digits and
Fashion-MNIST) for absolute error and interval score; `docs/estimator.md` has the figures of the other sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from estimator.checks import nearest, require_count, require_positive
from estimator.curve import Array, Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.separable.families import DISTINCT, FAMILIES, Design, design_of
from estimator.forecasters.separable.rate_grid import averaged
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["FamilyBank", "FinalAccuracy", "final_accuracy"]

LONGEST = 64
"""Observations that the grid is given; longer curves are averaged."""

NOISES = np.geomspace(1.0, 8.0, 5)
TYPICAL_NOISE, NOISE_SPREAD = 2.8, 0.4
"""Standard deviation of an observation, points: the grid, and its log-normal prior."""
RESIDUAL_CORRELATION = 0.025
"""n observations count as n / (1 + (n - 1) RESIDUAL_CORRELATION)."""
EXPECTED_SHARE, SHARE_SPREAD = 0.96, 0.84
"""Prior of the gain to come, as a share of what is left to 100 times the room: mean, standard deviation."""
START_SPREAD = 8.0
"""Standard deviation of the first accuracy about what was observed, points."""
ROOM_POWER = 0.33
"""The room for gains falls with the share s of the budget that is spent: 1 - s**power."""
UNMODELLED, UNMODELLED_POWER = 0.09, 0.045
"""Probability of a curve that no family describes, times the room; with probability s**power its gain is less than a
share s of what is left."""
END_NOISE = 0.5
"""How much of the noise the final accuracy has."""

LEAST_WEIGHT, MOST_KEPT = 1e-3, 200
"""Components of the distribution: those with at least this share of the largest weight, and at most this many."""
STEPS = np.linspace(0.0, 1.0, 65) ** 2
"""Where the distribution is evaluated, between the best so far (0) and 100 (1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalAccuracy:
    """The best accuracy at the full budget: mean, standard deviation, central 90 %; percent."""

    mean: float
    spread: float
    low: float
    high: float


def final_accuracy(
    families: tuple[str, ...], epochs: Array, accuracies: Array, *, max_epochs: float
) -> FinalAccuracy:
    """The posterior given a curve of one observation or more; `epochs` rises, accuracies are in 0..100."""
    best = float(accuracies.max())
    left, share = 100.0 - best, float(epochs[-1]) / max_epochs
    room = 1.0 - share**ROOM_POWER if share < 1.0 else 0.0
    if not (room > 0.0 and left > 0.0):
        return FinalAccuracy(mean=best, spread=0.0, low=best, high=best)
    x, thinned = averaged(epochs, accuracies[None, :], limit=LONGEST)
    design = design_of(families, x, end=max_epochs)
    weight, mean, deviation = _components(design, thinned[0], best=best, room=room)
    below = _distribution(weight, mean, deviation, grid=best + left * STEPS)
    unmodelled = UNMODELLED * room
    return _summary((1.0 - unmodelled) * below + unmodelled * STEPS**UNMODELLED_POWER, best=best, left=left)


def _components(design: Design, accuracies: Array, *, best: float, room: float) -> tuple[Array, Array, Array]:
    """Weight, mean and standard deviation of the final accuracy for the likeliest shapes and noises."""
    left = 100.0 - best
    end, start = best + EXPECTED_SHARE * left * room, float(accuracies[0])
    residual = accuracies - end * design.final - start * design.initial
    final = np.einsum("jn,jn->j", residual, design.final)[:, None]
    initial = np.einsum("jn,jn->j", residual, design.initial)[:, None]
    squares = np.einsum("jn,jn->j", residual, residual)[:, None]
    num_points = len(accuracies)
    counted = num_points / (1.0 + (num_points - 1) * RESIDUAL_CORRELATION)
    precision = counted / num_points / NOISES**2
    # the normal equations of (end, start) less their prior means, [J, noises]
    ends = design.final_squares[:, None] * precision + (SHARE_SPREAD * left * room + 0.3) ** -2.0
    both = design.products[:, None] * precision
    starts = design.initial_squares[:, None] * precision + START_SPREAD**-2.0
    determinant = ends * starts - both * both
    final, initial = final * precision, initial * precision
    end_shift = (starts * final - both * initial) / determinant
    start_shift = (ends * initial - both * final) / determinant
    log_noise = -counted * np.log(NOISES) - 0.5 * (np.log(NOISES / TYPICAL_NOISE) / NOISE_SPREAD) ** 2
    misfit = squares * precision - end_shift * final - start_shift * initial
    log_weight = design.log_prior[:, None] + log_noise - 0.5 * (misfit + np.log(determinant))
    mean = end + end_shift
    deviation = np.sqrt(starts / determinant + (END_NOISE * NOISES) ** 2)
    log_weight += np.log(np.maximum(ndtr((100.0 - mean) / deviation), 1e-300))
    return _likeliest(np.exp(log_weight - log_weight.max()).ravel(), mean.ravel(), deviation.ravel())


def _likeliest(weight: Array, mean: Array, deviation: Array) -> tuple[Array, Array, Array]:
    kept = np.flatnonzero(weight > LEAST_WEIGHT)
    if len(kept) > MOST_KEPT:
        kept = kept[np.argpartition(-weight[kept], MOST_KEPT)[:MOST_KEPT]]
    return weight[kept] / weight[kept].sum(), mean[kept], deviation[kept]


def _distribution(weight: Array, mean: Array, deviation: Array, *, grid: Array) -> Array:
    """P(final accuracy <= grid) of the normal components, each cut off at 100."""
    whole = np.maximum(ndtr((100.0 - mean) / deviation), 1e-300)
    below = ndtr((grid[:, None] - mean) / deviation)
    return np.asarray(np.minimum(below @ (weight / whole), 1.0))


def _summary(below: Array, *, best: float, left: float) -> FinalAccuracy:
    """Of a distribution at STEPS; what lies under the best so far is the best so far."""
    above = 1.0 - below
    widths = np.diff(STEPS)
    mean = float(widths @ (above[1:] + above[:-1])) / 2.0
    moments = above * STEPS
    variance = float(widths @ (moments[1:] + moments[:-1])) - mean * mean
    low, high = (float(np.interp(level, below, STEPS, left=0.0)) for level in (0.05, 0.95))
    return FinalAccuracy(
        mean=best + left * mean,
        spread=left * math.sqrt(max(variance, 0.0)),
        low=best + left * low,
        high=best + left * high,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyBank(Forecaster):
    """The best accuracy at the full budget, with spread and 90 % interval, by a posterior over `families`.

    `families` names members of `FAMILIES`; a single name is that family alone. The forecast is never below the
    best so far nor above 100. See this module for the method.
    """

    max_epochs: float
    families: tuple[str, ...] = DISTINCT
    min_points: int = 3

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_count("min_points", self.min_points, minimum=1)
        if not isinstance(self.families, tuple) or not self.families:
            raise ValueError(f"families = {self.families!r} must name at least one, in a tuple")
        for name in self.families:
            if name not in FAMILIES:
                raise ValueError(f"families: unknown family {name!r}{nearest(str(name), list(FAMILIES))}")

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if len(curve) < self.min_points:
            return None
        final = final_accuracy(self.families, curve.epochs, curve.val_accuracy, max_epochs=self.max_epochs)
        return Forecast(
            value=final.mean,
            spread=final.spread,
            at_max_epochs=final.mean,
            num_points=len(curve),
            low=final.low,
            high=final.high,
        )
