"""What ask and tell cost once many candidates have ended, and what the draw of a network costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from optuna.trial import BaseTrial
from torch import nn

from benchmarks.search_bench.values import Costs, DrawCost
from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.search import SearchContext, Strategy, make_strategy
from hpc_nas.spaces import Problem
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Parameters, Space
from hpc_nas.values import Candidate, Outcome, Reason, State

__all__ = ["measure_costs", "measure_draw"]

_Result = TypeVar("_Result")

IN_FLIGHT = 4
MILLISECONDS = 1e3
SLOW = ("tpe", "bohb")
_SEQUENCE = ("none", "conv3", "conv5", "pool", "skip")
PROBLEM = Problem(channels=3, height=32, width=32, num_classes=10)


class Undescribed(Space):
    """Draws without building anything, so that what is measured is the strategy alone."""

    def draw(
        self, trial: BaseTrial, problem: AnyProblem, *, check: Callable[[Parameters], None] | None = None
    ) -> Description:
        self.function(trial, problem)
        if check is not None:
            check(trial.params)
        return Description(num_parameters=1, num_layers=1, macs=1)


def twelve_parameters(trial: BaseTrial, problem: Problem) -> nn.Module:
    """As many parameters as a small architecture has."""
    for index in range(10):
        trial.suggest_categorical(f"layer{index}", _SEQUENCE)
    trial.suggest_int("width", 1, 64)
    trial.suggest_int("depth", 1, 12)
    return nn.Flatten()


def measure_costs(strategy: str, *, numbers: Sequence[int], count: int) -> list[Costs]:
    """Ask and tell on and on, IN_FLIGHT candidates at a time; the `count` after each of `numbers` are measured.

    A strategy that takes long learns random candidates in between, as from an earlier campaign, and is measured on
    a fifth of them.
    """
    count = max(count // 5, 5) if strategy in SLOW else count
    problem = Problem(channels=3, height=1, width=1, num_classes=2)
    context = SearchContext(
        space=Undescribed(name="twelve", function=twelve_parameters),
        problem=problem,
        seed=1,
        num_candidates=max(numbers) + count,
    )
    driver = _Driver(make_strategy(SearchSection(name=strategy), context=context))
    random = _Driver(make_strategy(SearchSection(), context=context))
    found = []
    for number in numbers:
        if strategy in SLOW:
            driver.learn(random, number)
        else:
            driver.advance(number)
        asks, tells = driver.advance(driver.number + count)
        found.append(
            Costs(
                strategy=strategy,
                num_told=number,
                count=count,
                ask_ms=float(np.median(asks)),
                ask_p90_ms=float(np.percentile(asks, 90)),
                tell_ms=float(np.median(tells)),
                tell_p90_ms=float(np.percentile(tells, 90)),
            )
        )
    return found


class _Driver:
    def __init__(self, strategy: Strategy):
        self._strategy = strategy
        self._running: list[Candidate] = []
        self._random = np.random.default_rng(1)
        self.number = 0
        self.num_told = 0

    def learn(self, source: _Driver, until: int) -> None:
        """Take in another driver's candidates until so many are known."""
        while self.num_told < until:
            candidate = source._strategy.ask(source.number)
            source.number += 1
            self._strategy.learn(candidate, self._outcome(candidate))
            self.num_told += 1

    def advance(self, until: int) -> tuple[list[float], list[float]]:
        """Go on until so many candidates were asked for; milliseconds of each ask and each tell."""
        asks, tells = [], []
        while self.number < until:
            candidate, took = _timed(lambda: self._strategy.ask(self.number))
            asks.append(took)
            self._running.append(candidate)
            self.number += 1
            if len(self._running) > IN_FLIGHT:
                ended = self._running.pop(0)
                outcome = self._outcome(ended)
                self.num_told += 1
                tells.append(_timed(lambda: self._strategy.tell(ended, outcome))[1])  # noqa: B023
        return asks, tells

    def _outcome(self, candidate: Candidate) -> Outcome:
        good = sum(value in ("conv3", "skip") for value in candidate.parameters.values())
        estimate = float(np.clip(50.0 + 4.0 * good + self._random.normal(), 0.0, 100.0))
        return converged(candidate, estimate=estimate, spread=1.0)


def converged(candidate: Candidate, *, estimate: float, spread: float) -> Outcome:
    """What a strategy is told of a candidate that a rule has stopped."""
    return Outcome(
        candidate=candidate.number,
        attempt=0,
        state=State.STOPPED,
        reason=Reason.CONVERGED,
        estimate=estimate,
        spread=spread,
    )


def measure_draw(space: str, *, count: int) -> DrawCost:
    """Random draws of a space at its defaults, for 3x32x32 images: built on the meta device and described."""
    context = SearchContext(
        space=load_space(SpaceSection(name=space)), problem=PROBLEM, seed=1, num_candidates=count + 1
    )
    strategy = make_strategy(SearchSection(), context=context)
    strategy.ask(0)  # what the first one loads is not counted
    took = [_timed(lambda: strategy.ask(number))[1] for number in range(1, count + 1)]  # noqa: B023
    return DrawCost(
        space=space,
        count=count,
        median_ms=float(np.median(took)),
        p90_ms=float(np.percentile(took, 90)),
    )


def _timed(action: Callable[[], _Result]) -> tuple[_Result, float]:
    """Processor time: nothing waits in it, so it is the time on an idle machine."""
    started = time.process_time()
    result = action()
    return result, MILLISECONDS * (time.process_time() - started)
