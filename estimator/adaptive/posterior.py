"""The posterior: the score that each candidate of a population would reach at the full budget, and how certainly.

The model of docs/science.md, "Pause and resume", with two changes. An error learned from a candidate whose own final
score is only forecast is larger by that forecast's spread; without this, forecasts confirm each other. And the
distribution is that of the errors themselves, a mixture, because its tails decide who may still be among the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from estimator.adaptive.features import PopulationFeatures
from estimator.adaptive.mixture import TINY, Mixture, normal_expected_improvement
from estimator.curve import Array

__all__ = ["Posterior", "posterior_of_candidate", "posterior_of_population"]

PENALTY = 10.0
"""Of the ridge, on standardised features that are clipped at `CLIP`."""
CLIP = 4.0
BANDWIDTH = 0.5
"""Of the kernel that makes errors local, in standard deviations of the fitted final scores."""
PRIOR_WEIGHT = 2.0
"""The weight of all errors, near or far, in the local average: that of so many local ones."""
SMOOTHING = 0.3
"""Width of each error in the mixture, in standard deviations of the whole."""
MAX_ERRORS = 80
"""Size of the mixture: of more errors than this, so many are taken at even steps."""
COLD_SPREAD = 1.0
"""Of the score, where no candidate has come further."""
REACH, NUM_BISECTIONS = 12.0, 30
"""Quantiles are searched within so many spreads of the mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """Final scores of a population's n candidates: `mean` and `spread` [n]; the spread is 0 once finished.

    `pooled` [J] is the typical spread at each level, never rising with the level.
    """

    mean: Array
    spread: Array
    pooled: Array
    mixtures: tuple[Mixture, ...]

    def below(self, thresholds: Array) -> Array:
        """P(final score < threshold) of each candidate, [n, q]; `thresholds` are [q], or [n, q]."""
        asked = np.broadcast_to(thresholds, (len(self.mean), np.shape(thresholds)[-1]))
        mean, spread = self.mean[:, None], self.spread[:, None]
        result = np.where(spread > 0.0, ndtr((asked - mean) / np.maximum(spread, TINY)), mean < asked)
        for mixture in self.mixtures:
            members = mixture.members
            result[members] = mixture.below(asked[members], self.mean[members])
        return result

    def expected_improvement(self, incumbent: float) -> Array:
        """How far each candidate is expected to end above a score, E max(final - incumbent, 0), [n]."""
        result = normal_expected_improvement(self.mean, self.spread, incumbent)
        for mixture in self.mixtures:
            result[mixture.members] = mixture.expected_improvement(incumbent, self.mean[mixture.members])
        return result

    def of(self, members: NDArray[np.intp]) -> Posterior:
        """The posterior of some candidates alone, by their places in the population, in its order."""
        parts = (mixture.of(members) for mixture in self.mixtures)
        return Posterior(
            mean=self.mean[members],
            spread=self.spread[members],
            pooled=self.pooled,
            mixtures=tuple(part for part in parts if len(part.members)),
        )

    def quantiles(self, probabilities: Sequence[float]) -> Array:
        """The final scores that each candidate stays below with these q probabilities, [n, q]; by bisection."""
        wanted = np.asarray(probabilities, dtype=np.float64)
        reach = REACH * self.spread[:, None]
        low = np.broadcast_to(self.mean[:, None] - reach, (len(self.mean), len(wanted)))
        high = np.broadcast_to(self.mean[:, None] + reach, low.shape)
        for _ in range(NUM_BISECTIONS):
            middle = (low + high) / 2.0
            under = self.below(middle) < wanted
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        result: Array = (low + high) / 2.0
        return result


def posterior_of_population(population: PopulationFeatures) -> Posterior:
    """Fitted from the last level down, each level from all candidates that have come further."""
    best = population.best
    mean, spread = np.full(len(population), np.nan), np.zeros(len(population))
    mean[population.finished] = best[population.finished, -1]
    pooled = np.full(population.num_levels, np.nan)
    mixtures: list[Mixture] = []
    for level in range(population.num_levels - 2, -1, -1):
        members = np.flatnonzero(population.level == level)
        further = np.flatnonzero(population.level > level)
        if not len(members):
            continue
        if not len(further):
            mean[members], spread[members] = best[members, level], COLD_SPREAD
            continue
        regression = _fit(population.values[further, level], ends=mean[further], spreads=spread[further])
        gain, spread[members], mixture = regression.apply(population.values[members, level], members)
        mean[members] = best[members, level] + gain
        pooled[level] = np.sqrt(regression.pooled)
        mixtures.append(mixture)
    return Posterior(mean=mean, spread=spread, pooled=_smooth(pooled), mixtures=tuple(mixtures))


def posterior_of_candidate(
    population: PopulationFeatures, posterior: Posterior, features: Array, *, level: int, number: int
) -> Posterior:
    """The posterior of one more candidate, or of a member that has come further, learned from all others.

    `features` are those at its level, [p] or the first of them.
    """
    best = features[:1].copy()
    if level == population.num_levels - 1:
        return Posterior(mean=best, spread=np.zeros(1), pooled=posterior.pooled, mixtures=())
    further = np.flatnonzero((population.level > level) & (population.numbers != number))
    if not len(further):
        return Posterior(mean=best, spread=np.full(1, COLD_SPREAD), pooled=posterior.pooled, mixtures=())
    regression = _fit(
        population.values[further, level, : len(features)],
        ends=posterior.mean[further],
        spreads=posterior.spread[further],
    )
    gain, spread, mixture = regression.apply(features[None, :], np.zeros(1, dtype=np.intp))
    return Posterior(mean=best + gain, spread=spread, pooled=posterior.pooled, mixtures=(mixture,))


@dataclass(frozen=True, kw_only=True, slots=True)
class _GainRegression:
    """The regression of the gain at one level, fitted to r candidates with p features: first the best score so far."""

    centre: Array  # [p]
    deviation: Array  # [p]
    slopes: Array  # [p]
    mean_gain: float
    inverse: Array  # [p, p]
    finals: Array  # [r]: fitted final scores
    errors: Array  # [r]: leave-one-out
    variances: Array  # [r]: of the final scores that it was fitted to
    weights: Array  # [r]
    pooled: float  # variance of the errors

    def apply(self, features: Array, members: NDArray[np.intp]) -> tuple[Array, Array, Mixture]:
        """Gains over the best so far [m], their spreads [m] and distributions, for features [m, p]."""
        asked = np.clip((features - self.centre) / self.deviation, -CLIP, CLIP)
        total = float(self.weights.sum())
        gain = asked @ self.slopes + self.mean_gain
        forecast = gain + features[:, 0]
        width = BANDWIDTH * max(float(self.finals.std()), 1e-6)
        kernel = np.exp(-0.5 * ((forecast[:, None] - self.finals) / width) ** 2) * self.weights
        local = kernel.sum(axis=1) + PRIOR_WEIGHT
        squares = self.errors**2 + self.variances
        variance = (kernel @ squares + PRIOR_WEIGHT * self.pooled) / local
        inflation = 1.0 + ((asked @ self.inverse) * asked).sum(axis=1) + 1.0 / total
        chosen = _evenly(len(self.errors))
        share = (kernel + PRIOR_WEIGHT * self.weights / total + TINY)[:, chosen]
        mixture = Mixture(
            members=members,
            weights=share / share.sum(axis=1, keepdims=True),
            errors=self.errors[chosen],
            variances=self.variances[chosen],
            inflation=inflation,
            width=SMOOTHING * np.sqrt(variance),
        )
        gain = np.maximum(gain + kernel @ self.errors / local, 0.0)
        return gain, np.sqrt(variance * inflation) + TINY, mixture


def _fit(features: Array, *, ends: Array, spreads: Array) -> _GainRegression:
    """Ridge regression of the gain that remained to `ends` [r], on features [r, p] at one level.

    An end that is itself a forecast counts less, the larger its spread.
    """
    gains, variances = ends - features[:, 0], spreads**2
    scale = max(float(gains.var()), 1e-6)
    weights = scale / (scale + variances)
    total = float(weights.sum())
    centre = weights @ features / total
    deviation = np.sqrt(weights @ (features - centre) ** 2 / total) + TINY
    known = np.clip((features - centre) / deviation, -CLIP, CLIP)
    mean_gain = float(weights @ gains) / total
    gram = (known * weights[:, None]).T @ known + PENALTY * np.eye(known.shape[1])
    inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    slopes = inverse @ (known.T @ (weights * (gains - mean_gain)))
    fitted = known @ slopes + mean_gain
    leverage = weights * (((known @ inverse) * known).sum(axis=1) + 1.0 / total)
    errors = (gains - fitted) / np.maximum(1.0 - leverage, 0.05)
    return _GainRegression(
        centre=centre,
        deviation=deviation,
        slopes=slopes,
        mean_gain=mean_gain,
        inverse=inverse,
        finals=fitted + features[:, 0],
        errors=errors,
        variances=variances,
        weights=weights,
        pooled=float(weights @ (errors**2 + variances)) / total,
    )


def _evenly(count: int) -> NDArray[np.intp]:
    if count <= MAX_ERRORS:
        return np.arange(count)
    return np.linspace(0, count - 1, MAX_ERRORS).astype(np.intp)


def _smooth(pooled: Array) -> Array:
    """Levels without a figure are interpolated (on the logarithm); the full budget's is 0."""
    levels = np.arange(len(pooled) - 1)
    known = np.flatnonzero(np.isfinite(pooled[:-1]))
    smooth = np.full(len(pooled), COLD_SPREAD)
    if len(known):
        smooth[:-1] = np.exp(np.interp(levels, known, np.log(pooled[known] + TINY)))
        smooth[:-1] = np.minimum.accumulate(smooth[:-1])
    smooth[-1] = 0.0
    return smooth
