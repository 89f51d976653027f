"""The strategy `nsga2`: accuracy against cost, by non-dominated sorting (Deb et al. 2002; NSGA-Net, Lu et al. 2019).

Survivors are chosen by Optuna's NSGAIISampler. What is ours, and why:

- A generation is complete when as many candidates as the population holds have *ended* since the last one. Optuna
  counts by when a trial was begun, and leaves out for good whatever ends after its generation was closed: with many
  trainers a good part of all candidates. It also keeps its count in the study, which a resumed campaign has lost.
- Crossover over the parameters of the two parents. Optuna's crosses only those that all trials ever have in common,
  and draws all others at random: in a space whose depth is drawn, nearly all of them.
- Where crossover alone gives a copy of a parent, one parameter mutates.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from optuna import Study
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from hpc_nas.search.inheritance import Inheritance, InheritingSampler, mutable
from hpc_nas.search.objectives import ESTIMATE, MACS, PARAMETERS, Objective
from hpc_nas.search.ranking import Ranking, RankingName, standings
from hpc_nas.search.sampling import Sampling, SearchContext

__all__ = ["nsga2"]

CostName = Literal["macs", "num_parameters"]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]

_COSTS: dict[CostName, Objective] = {"macs": MACS, "num_parameters": PARAMETERS}


def nsga2(
    context: SearchContext,
    *,
    cost: CostName = "macs",
    population_size: Annotated[int, Field(ge=2, le=1_000_000)] = 10,
    crossover_probability: Probability = 0.9,
    ranking: RankingName = "estimate",
) -> Sampling:
    """Maximizes the estimate and minimizes `cost`; random until `population_size` candidates have ended.

    `crossover_probability`: else a child has one parent only. Each parameter mutates with a probability of
    1 / (number of parameters), as in Deb et al.
    """
    return _NSGA2(
        cost=_COSTS[cost],
        population_size=population_size,
        crossover_probability=crossover_probability,
        ranking=Ranking(ranking),
        seed=context.seed,
    )


class _NSGA2(Sampling):
    """Costs the same however many candidates have ended: it remembers the parents and the open generation only."""

    def __init__(
        self,
        *,
        cost: Objective,
        population_size: int,
        crossover_probability: float,
        ranking: Ranking,
        seed: int,
    ) -> None:
        self.objectives = (ESTIMATE, cost)
        self._population_size = population_size
        self._crossover_probability = crossover_probability
        self._ranking = ranking
        self._seed = seed
        self._survival = _Survival(population_size=population_size)
        self._generation = 0
        self._parents: list[FrozenTrial] = []
        self._ended: list[FrozenTrial] = []

    def sampler(self, seed: int) -> BaseSampler:
        if len(self._parents) + len(self._ended) < self._population_size:
            return RandomSampler(seed=seed)
        return InheritingSampler(seed=seed, heredity=self._cross)

    def told(self, trial: FrozenTrial) -> None:
        if trial.state is TrialState.COMPLETE:
            self._ended.append(trial)

    def _cross(self, study: Study, generator: np.random.Generator) -> Inheritance:
        self._close_generations(study)
        first, second = self._tournament(generator), self._tournament(generator)
        if generator.random() >= self._crossover_probability:
            second = first
        source = dict.fromkeys(first.params, first)
        for name in second.params:
            if name not in source or generator.random() < 0.5:
                source[name] = second
        return Inheritance(
            values={name: parent.params[name] for name, parent in source.items()},
            distributions={name: parent.distributions[name] for name, parent in source.items()},
            mutated=_mutations(source, parents=(first, second), generator=generator),
        )

    def _close_generations(self, study: Study) -> None:
        size = self._population_size
        while len(self._ended) >= size:
            pool = [*self._parents, *self._ended[:size]]
            del self._ended[:size]
            generator = np.random.default_rng((self._seed, self._generation))
            accuracies = standings(pool, ranking=self._ranking, generator=generator)
            survivors = self._survival.of(_with_estimates(pool, accuracies.tolist()), study=study)
            by_number = {trial.number: trial for trial in pool}
            self._parents = [by_number[trial.number] for trial in survivors]
            self._generation += 1

    def _tournament(self, generator: np.random.Generator) -> FrozenTrial:
        """One of two that is dominated by the other loses; else chance decides."""
        places = generator.integers(len(self._parents), size=2)
        one, other = (self._parents[int(place)] for place in places)
        mine, theirs = standings((one, other), ranking=self._ranking, generator=generator)
        is_beaten = theirs >= mine and other.values[1] <= one.values[1]
        return other if is_beaten else one


class _Survival(NSGAIISampler):
    """Optuna's selection by rank and crowding distance, over trials that it is given."""

    def of(self, pool: list[FrozenTrial], *, study: Study) -> list[FrozenTrial]:
        self._pool = pool
        return self.select_parent(study, 1)

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        return list(self._pool)

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        return []  # they are in the pool


def _mutations(
    source: Mapping[str, FrozenTrial], *, parents: Sequence[FrozenTrial], generator: np.random.Generator
) -> set[str]:
    """Each parameter by chance, given from whom it comes; one at least of a parent whose copy the child would be."""
    mutated = {
        name
        for name, parent in source.items()
        if generator.random() < 1.0 / len(parent.params) and not parent.distributions[name].single()
    }
    for parent in parents:
        own = mutable(parent)
        is_copy = all(source[name].params[name] == parent.params[name] for name in own)
        if own and is_copy and mutated.isdisjoint(own):
            mutated.add(own[generator.integers(len(own))])
    return mutated


def _with_estimates(pool: list[FrozenTrial], estimates: list[float]) -> list[FrozenTrial]:
    copies = [copy.copy(trial) for trial in pool]
    for trial, estimate in zip(copies, estimates, strict=True):
        trial.values = [estimate, *trial.values[1:]]
    return copies
