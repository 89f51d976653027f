"""Posterior and selection of a whole population, and of one candidate against it; forecasts in percent from them.

The population's posterior is computed anew whenever a fortieth of the population has left its trainers. It rests on a
version of the history, so that the same history gives the same posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np

from estimator.adaptive.features import FeatureStore, PopulationFeatures, extract_features
from estimator.adaptive.levels import Levels
from estimator.adaptive.posterior import Posterior, posterior_of_candidate, posterior_of_population
from estimator.curve import SLACK, Array, Curve
from estimator.forecasters.learned.curve_matrix import accuracy_of
from estimator.history import Ended, History, Standing
from estimator.values import Forecast, Numbers

__all__ = [
    "NUM_IN_FULL",
    "SHARES",
    "CandidatePosterior",
    "PopulationPosterior",
    "Selection",
    "begins_in_full",
    "candidate_posterior",
    "final_population_posterior",
    "forecast_of",
    "population_posterior",
    "select",
]

NUM_IN_FULL = 4
"""The first so many candidates are trained to the end, to learn from them (docs/science.md, "Pause and resume")."""

UPDATES = 40
"""The posterior is computed anew after each 1 / UPDATES of the population has left a trainer."""

SHARES = (0.1, 0.2, 0.3)
"""The shares of the best that PEng4NN's tables compare, and that evolution keeps."""

WIDENING = 1.3
"""Factor by which intervals are wider than the posterior's: of those that it learns from, few were paused early.
Chosen so that 90 % intervals hold the truth about 9 times in 10, pooled over recorded sets (docs/decisions/0010)."""

_MEDIAN = 0.5
_PROBABILITIES = (0.05, 0.1587, 0.8413, 0.95)
_LEFT_OUT = (Standing.FAILED, Standing.LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The best 10, 20 and 30 % of n candidates by forecast, and how likely each candidate is in or out wrongly.

    `thresholds` [3]: the score between the last that is in and the first that is out. `errors` [3, n]: the
    probability that a candidate is on the wrong side. `overlaps` [3]: the expected overlap with the truth, 0..1.
    `winning` [n]: the probability that a candidate that has not finished ends above `top`, the best forecast.
    """

    thresholds: Array
    top: float
    errors: Array
    overlaps: Array
    winning: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class PopulationPosterior:
    """The final scores to expect of a population. `rests_on`: the version of the history, and who is left out."""

    rests_on: tuple[int, frozenset[int]]
    features: PopulationFeatures
    posterior: Posterior
    selection: Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidatePosterior:
    """One candidate that has reached a level since the population's posterior was computed, compared with it.

    `errors` [3] and `winning` as in `Selection`; `among_best`: it belongs to the widest share.
    """

    posterior: Posterior
    errors: Array
    winning: float
    among_best: bool
    expected_overlap: float

    @property
    def numbers(self) -> Numbers:
        """The figures behind a decision on this candidate."""
        ten, twenty, thirty = self.errors.tolist()
        return (
            ("error_10", ten),
            ("error_20", twenty),
            ("error_30", thirty),
            ("winning", self.winning),
            ("expected_overlap", self.expected_overlap),
        )


def population_posterior(history: History, levels: Levels) -> PopulationPosterior | None:
    """The latest one; None before any candidate has reached the first level."""
    step = max(1, len(history) // UPDATES)
    version = history.version_after_ends(history.num_ended // step * step)
    if version == 0:
        version = history.version
    left_out = frozenset(
        event.candidate
        for event in history.events_since(version)
        if isinstance(event, Ended) and event.standing in _LEFT_OUT
    )
    return history.recall(
        ("population posterior", levels),
        (version, left_out),
        lambda: _computed(history, levels, version=version, left_out=left_out),
    )


def final_population_posterior(history: History, levels: Levels) -> PopulationPosterior | None:
    """The one at the history's very end."""
    return _computed(history, levels, version=history.version, left_out=frozenset())


def candidate_posterior(
    history: History, levels: Levels, *, number: int, curve: Curve
) -> CandidatePosterior | None:
    """That of a candidate that is about to be judged; None where there is nothing to compare it with yet."""
    # Forecaster and rule ask for the same one. The curve is part of the token, as another attempt has another curve.
    token = (history.version, number, curve, len(curve))
    return history.recall(
        ("candidate posterior", levels), token, lambda: _compared(history, levels, number=number, curve=curve)
    )


def begins_in_full(history: History, number: int) -> bool:
    """Is the candidate one of the first? Of earlier campaigns, those that were trained to the end count as such."""
    first = islice(
        (
            member.candidate
            for member in history.members.values()
            if member.candidate >= 0 or member.standing is Standing.FINISHED
        ),
        NUM_IN_FULL,
    )
    known = list(first)
    return number in known or (number not in history.members and len(known) < NUM_IN_FULL)


def forecast_of(posterior: Posterior, *, curves: list[Curve]) -> list[Forecast]:
    """The posterior of n candidates as forecasts in percent, never below the best so far; `value` is its mean."""
    quantiles = posterior.quantiles((_MEDIAN, *_PROBABILITIES))
    medians = quantiles[:, :1]
    scores = np.column_stack([medians + WIDENING * (quantiles[:, 1:] - medians), posterior.mean])
    points = accuracy_of(np.clip(scores, -math.log(101.0), 0.0))
    forecasts = []
    for row, curve in zip(points, curves, strict=True):
        low, below, above, high, value = np.clip(row, curve.best_accuracy, 100.0).tolist()
        forecasts.append(
            Forecast(
                value=value,
                spread=(above - below) / 2.0,
                at_max_epochs=value,
                num_points=len(curve),
                low=min(low, value),
                high=max(high, value),
            )
        )
    return forecasts


def select(posterior: Posterior) -> Selection:
    """The selection by posterior means; raises ValueError if there is no candidate to select from."""
    number = len(posterior.mean)
    if not number:
        raise ValueError("no candidate to select from: none has reached the first level")
    order = np.sort(posterior.mean)[::-1]
    sizes = [max(1, math.ceil(number * share - SLACK)) for share in SHARES]
    thresholds = np.array([(order[size - 1] + order[min(size, number - 1)]) / 2.0 for size in sizes])
    below = posterior.below(np.append(thresholds, order[0])).T
    open_ones = posterior.spread > 0.0
    errors = np.where(posterior.mean >= thresholds[:, None], below[:-1], 1.0 - below[:-1]) * open_ones
    return Selection(
        thresholds=thresholds,
        top=float(order[0]),
        errors=errors,
        overlaps=1.0 - errors.sum(axis=1) / (2.0 * np.array(sizes)),
        winning=np.where(open_ones, 1.0 - below[-1], 0.0),
    )


def _computed(
    history: History, levels: Levels, *, version: int, left_out: frozenset[int]
) -> PopulationPosterior | None:
    store = history.recall(("feature store", levels), None, lambda: FeatureStore(levels))
    if store.version > version:
        store = FeatureStore(levels)
    store.advance(history, version=version)
    features = store.population_features(without=left_out)
    if not len(features):
        return None
    posterior = posterior_of_population(features)
    return PopulationPosterior(
        rests_on=(version, left_out), features=features, posterior=posterior, selection=select(posterior)
    )


def _compared(history: History, levels: Levels, *, number: int, curve: Curve) -> CandidatePosterior | None:
    population = population_posterior(history, levels)
    candidate = extract_features(curve, levels, length=len(curve))
    if population is None or candidate.level < 0:
        return None
    posterior = posterior_of_candidate(
        population.features,
        population.posterior,
        population.features.values_of(candidate)[candidate.level],
        level=candidate.level,
        number=number,
    )
    selection = population.selection
    below = posterior.below(np.append(selection.thresholds, selection.top))[0]
    inside = posterior.mean[0] >= selection.thresholds
    open_one = float(posterior.spread[0] > 0.0)
    return CandidatePosterior(
        posterior=posterior,
        errors=np.where(inside, below[:-1], 1.0 - below[:-1]) * open_one,
        winning=float(1.0 - below[-1]) * open_one,
        among_best=bool(inside[-1]),
        expected_overlap=float(selection.overlaps.min()),
    )
