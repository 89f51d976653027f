"""Strategies over toy spaces without a network: what they are told follows from the parameters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from hpc_nas.search.sampling import Sampling, SearchContext
from hpc_nas.search.seeding import draw_seed
from tests.unit.search.test_strategies import context

Toy = Callable[[Trial], object]
Values = Callable[[Mapping[str, Any]], list[float] | None]

CONTEXT: SearchContext = context(seed=3)


def flat(trial: Trial) -> None:
    """Six parameters that are always there, of all kinds; one of them has one value only."""
    for name in ("a", "b", "c"):
        trial.suggest_int(name, 0, 9)
    trial.suggest_float("d", 1e-6, 1.0, log=True)
    trial.suggest_categorical("e", ["left", "right"])
    trial.suggest_categorical("f", ["only"])


def deep(trial: Trial) -> None:
    """As many layers as were drawn, each at most as wide as the one before."""
    width = 64
    for layer in range(trial.suggest_int("depth", 1, 6)):
        width = trial.suggest_int(f"width{layer}", 1, width)


class Search:
    """A sampling, its study, and candidates asked for and told by hand."""

    def __init__(self, sampling: Sampling, toy: Toy, *, seed: int = 3) -> None:
        self._sampling = sampling
        self._toy = toy
        self._seed = seed
        directions = [objective.direction for objective in sampling.objectives]
        self.study = optuna.create_study(directions=directions)
        self._draws: Iterator[int] = iter(range(1_000_000))

    def ask(self) -> Trial:
        self.study.sampler = self._sampling.sampler(draw_seed(self._seed, next(self._draws), 0))
        trial = self.study.ask()
        self._toy(trial)
        return trial

    def tell(self, trial: Trial, values: list[float] | None, *, spread: float | None = 0.0) -> FrozenTrial:
        trial.set_user_attr("spread", spread)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        told = self.study.tell(trial, values, state=state)
        self._sampling.told(told)
        return told

    def given(
        self, parameters: Mapping[str, Any], values: list[float] | None, *, spread: float | None = 0.0
    ) -> FrozenTrial:
        """Have a candidate with these parameters drawn and told."""
        self.study.sampler = optuna.samplers.RandomSampler(seed=0)
        self.study.enqueue_trial(dict(parameters))
        trial = self.study.ask()
        self._toy(trial)
        return self.tell(trial, values, spread=spread)

    def run(self, values: Values, *, num_candidates: int, in_flight: int = 4) -> list[FrozenTrial]:
        """Candidates in the order of their ends, so many of them in flight at a time."""
        running: list[Trial] = []
        ended: list[FrozenTrial] = []
        for number in range(num_candidates + in_flight):
            if number < num_candidates:
                running.append(self.ask())
            if number >= in_flight:
                trial = running.pop(number % len(running))  # not in the order in which they began
                ended.append(self.tell(trial, values(trial.params)))
        return ended
