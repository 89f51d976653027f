"""The strategy `regularized-evolution`: mutates a good one of the latest candidates (Real et al. 2019).

Algorithm 1 of arXiv 1802.01548: the population is the latest candidates that ended, whatever they reached, so every
one dies of old age; the parent is the best of a random sample of it; the child is the parent with one mutation.
The paper's mutations are those of its cells; here one parameter takes a new random value.
"""

from __future__ import annotations

from collections import deque
from typing import Annotated

import numpy as np
from optuna import Study
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from hpc_nas.errors import ConfigurationError
from hpc_nas.search.inheritance import Inheritance, InheritingSampler, mutable
from hpc_nas.search.ranking import Ranking, RankingName, standings
from hpc_nas.search.sampling import Sampling, SearchContext

__all__ = ["regularized_evolution"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


def regularized_evolution(
    context: SearchContext,
    *,
    population_size: Positive = 10,
    sample_size: Positive = 5,
    ranking: RankingName = "estimate",
) -> Sampling:
    """Random until `population_size` candidates have ended, then children of the best of `sample_size` of these.

    The paper's sizes are 100 and 25, for 20,000 candidates; ours leave campaigns of some tens most of their
    candidates to evolve. Raises ConfigurationError where the sample is larger than the population.
    """
    if sample_size > population_size:
        raise ConfigurationError(
            f"[search] regularized-evolution: sample_size = {sample_size} of population_size = {population_size}; "
            f"use 1 to {population_size}"
        )
    return _RegularizedEvolution(
        population_size=population_size, sample_size=sample_size, ranking=Ranking(ranking)
    )


class _RegularizedEvolution(Sampling):
    """Costs the same however many candidates have ended: it remembers the population only."""

    def __init__(self, *, population_size: int, sample_size: int, ranking: Ranking) -> None:
        self._population: deque[FrozenTrial] = deque(maxlen=population_size)
        self._sample_size = sample_size
        self._ranking = ranking

    def sampler(self, seed: int) -> BaseSampler:
        if len(self._population) < (self._population.maxlen or 0):
            return RandomSampler(seed=seed)
        return InheritingSampler(seed=seed, heredity=self._mutate)

    def told(self, trial: FrozenTrial) -> None:
        if trial.state is TrialState.COMPLETE:
            self._population.append(trial)  # the oldest one leaves

    def _mutate(self, study: Study, generator: np.random.Generator) -> Inheritance:
        # As in Algorithm 1, one may be drawn into the sample more than once.
        places = generator.integers(len(self._population), size=self._sample_size)
        sample = [self._population[place] for place in places]
        parent = sample[int(standings(sample, ranking=self._ranking, generator=generator).argmax())]
        names = mutable(parent)
        mutated = {names[generator.integers(len(names))]} if names else set()
        return Inheritance(values=parent.params, distributions=parent.distributions, mutated=mutated)
