"""Promotions of `adaptive`: continue where the ranking is undecided, or where the best may still be found."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estimator.adaptive.features import PopulationFeatures
from estimator.adaptive.knowledge_gradient import gradient_for_best, gradient_for_selection
from estimator.adaptive.levels import Levels
from estimator.adaptive.population_posterior import (
    PopulationPosterior,
    final_population_posterior,
    forecast_of,
    population_posterior,
)
from estimator.checks import require_count, require_positive, require_probability
from estimator.curve import Array
from estimator.history import History, Standing
from estimator.promotions import Promotion
from estimator.rules.base import stop
from estimator.values import Decision, Reason

__all__ = ["PromoteContenders", "PromoteUndecided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _PromoteByKnowledgeGradient(Promotion):
    """All candidates are first trained to the first level; then that of the largest knowledge gradient goes on."""

    levels: Levels

    def promote(self, history: History, *, num_new: int) -> int | None:
        paused = history.those(Standing.PAUSED)
        if num_new or not paused:
            return None
        population = population_posterior(history, self.levels)
        if population is None or self._is_decided(population):
            return None
        ranking = history.recall(
            ("knowledge gradient", self),
            population.rests_on,
            lambda: _ranked(population.features, self._knowledge_gradient(population)),
        )
        lengths = {member.candidate: len(member.curve) for member in paused}
        known = [number for number, _ in ranking if number in lengths]
        # Candidates that have new observations since the posterior come after those that have none.
        fresh = (number for number, length in ranking if lengths.get(number) == length)
        return next(fresh, known[0] if known else paused[0].candidate)

    def settle(self, history: History) -> Mapping[int, Decision]:
        population = final_population_posterior(history, self.levels)
        paused = np.array([member.candidate for member in history.those(Standing.PAUSED)], dtype=np.int64)
        if population is None or not len(paused):
            return {}
        places = np.flatnonzero(np.isin(population.features.numbers, paused))
        posterior, selection = population.posterior.of(places), population.selection
        numbers = population.features.numbers[places].tolist()
        forecasts = forecast_of(posterior, curves=[history.members[number].curve for number in numbers])
        decisions = {}
        for index, (number, forecast) in enumerate(zip(numbers, forecasts, strict=True)):
            among_best = posterior.mean[index] >= selection.thresholds[-1]
            decision = stop(
                forecast,
                reason=Reason.CONVERGED if among_best else Reason.UNLIKELY_BEST,
                numbers=(("expected_overlap", float(selection.overlaps.min())),),
            )
            decisions[number] = replace(decision, version=history.version)
        return decisions

    @abstractmethod
    def _is_decided(self, population: PopulationPosterior) -> bool:
        """Whether further training would tell too little to go on."""

    @abstractmethod
    def _knowledge_gradient(self, population: PopulationPosterior) -> Array:
        """The knowledge gradient of each candidate of the population, [n]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromoteContenders(_PromoteByKnowledgeGradient):
    """Until all that have not finished are together expected to surpass the best by `tolerance` points at most,
    and the `num_finalists` best by forecast have finished.
    """

    tolerance: float
    num_finalists: int = 5

    def __post_init__(self) -> None:
        require_positive("tolerance", self.tolerance)
        require_count("num_finalists", self.num_finalists, minimum=1)

    def _is_decided(self, population: PopulationPosterior) -> bool:
        return self._is_surpassed(population) and not len(self._open_finalists(population))

    def _knowledge_gradient(self, population: PopulationPosterior) -> Array:
        gradient = gradient_for_best(
            population.features, population.posterior, self.levels.epochs, incumbent=_best_known(population)
        )
        if self._is_surpassed(population):
            gradient[self._open_finalists(population)] += float(gradient.max()) + 1.0
        return gradient

    def _is_surpassed(self, population: PopulationPosterior) -> bool:
        """Are the others together expected to surpass the best known by no more than the tolerance?"""
        incumbent = _best_known(population)
        points_per_score = float(np.exp(-incumbent))  # the derivative of 101 - exp(-z)
        return (
            float(population.posterior.expected_improvement(incumbent).sum()) * points_per_score
            <= self.tolerance
        )

    def _open_finalists(self, population: PopulationPosterior) -> NDArray[np.intp]:
        """Places of those among the best by forecast that have not finished."""
        best = np.argsort(-population.posterior.mean, kind="stable")[: self.num_finalists]
        return best[~population.features.finished[best]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromoteUndecided(PromoteContenders):
    """First until the overlap to be expected of each of the best 10, 20 and 30 % is `enough_overlap` (0..1), then
    the contenders for the first place as well.
    """

    enough_overlap: float = 0.9

    def __post_init__(self) -> None:
        PromoteContenders.__post_init__(self)
        require_probability("enough_overlap", self.enough_overlap)

    def _is_decided(self, population: PopulationPosterior) -> bool:
        return self._is_selected(population) and PromoteContenders._is_decided(self, population)

    def _knowledge_gradient(self, population: PopulationPosterior) -> Array:
        if self._is_selected(population):
            return PromoteContenders._knowledge_gradient(self, population)
        return gradient_for_selection(
            population.features, population.posterior, population.selection, self.levels.epochs
        )

    def _is_selected(self, population: PopulationPosterior) -> bool:
        return bool(population.selection.overlaps.min() >= self.enough_overlap)


def _ranked(features: PopulationFeatures, gradient: Array) -> list[tuple[int, int]]:
    """Number and length of those that have not finished, largest gradient first; equals by their place."""
    order = np.argsort(-gradient, kind="stable")
    order = order[~features.finished[order]]
    return list(zip(features.numbers[order].tolist(), features.lengths[order].tolist(), strict=True))


def _best_known(population: PopulationPosterior) -> float:
    """The highest final score that has been measured; the highest forecast while there is none."""
    finished = population.features.finished
    scores = population.posterior.mean[finished] if finished.any() else population.posterior.mean
    return float(scores.max())
