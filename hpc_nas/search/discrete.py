"""A parameter's values as a few actions: choices one by one, long ranges in bins.

What a tabular agent needs: it learns a value for each action, and the value within a bin is drawn by chance.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

__all__ = ["Actions", "Value", "actions_of"]

Value = CategoricalChoiceType


class Actions(ABC):
    """What may be chosen of one parameter, numbered from 0."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are, at least 1."""

    @abstractmethod
    def draw(self, action: int, *, generator: np.random.Generator) -> Value:
        """A value that belongs to the action."""

    @abstractmethod
    def action_of(self, value: Value) -> int:
        """The action that the value belongs to."""


def actions_of(distribution: BaseDistribution, *, num_bins: int) -> Actions:
    """The actions of a distribution.

    Every choice of a categorical parameter; every value of a whole number, or of a number in steps, up to `num_bins`
    of them; else bins of equal width, on the distribution's own (linear or logarithmic) scale.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _Choices(distribution)
    if isinstance(distribution, IntDistribution | FloatDistribution):
        return _bins(distribution, num_bins)
    raise TypeError(
        f"{distribution!r}: no distribution of Optuna's trials, which are categorical, int and float"
    )


@lru_cache(maxsize=1000)
def _bins(distribution: IntDistribution | FloatDistribution, num_bins: int) -> Actions:
    low, high = distribution.low, distribution.high
    if distribution.step is None:
        spaced = np.geomspace if distribution.log else np.linspace
        within = spaced(low, high, num_bins + 1)[1:-1].tolist()
        return _Intervals(edges=(low, *within, high), log=distribution.log)
    num_values = round((high - low) / distribution.step) + 1
    if num_values <= num_bins:
        edges = set(range(num_values))
    elif distribution.log:  # whole numbers; a bin at the lower end may hold none, and is left out
        edges = {
            math.ceil(edge) - int(low) for edge in np.geomspace(low, high + 1, num_bins + 1)[1:-1].tolist()
        }
    else:
        edges = {part * num_values // num_bins for part in range(num_bins)}
    return _Stretches(distribution=distribution, edges=tuple(sorted(edges | {0, num_values})))


@dataclass(frozen=True)
class _Choices(Actions):
    distribution: CategoricalDistribution

    @property
    def count(self) -> int:
        return len(self.distribution.choices)

    def draw(self, action: int, *, generator: np.random.Generator) -> Value:
        return self.distribution.choices[action]

    def action_of(self, value: Value) -> int:
        return int(self.distribution.to_internal_repr(value))


@dataclass(frozen=True, kw_only=True)
class _Stretches(Actions):
    """Values in steps, numbered from 0; action i holds those from edges[i] to before edges[i + 1]."""

    distribution: IntDistribution | FloatDistribution
    edges: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    def draw(self, action: int, *, generator: np.random.Generator) -> Value:
        index = int(generator.integers(self.edges[action], self.edges[action + 1]))
        step = self.distribution.step or 1
        return min(self.distribution.low + index * step, self.distribution.high)

    def action_of(self, value: Value) -> int:
        step = self.distribution.step or 1
        return bisect_right(self.edges, round((_number(value) - self.distribution.low) / step)) - 1


@dataclass(frozen=True, kw_only=True)
class _Intervals(Actions):
    """Action i holds the numbers from edges[i] to edges[i + 1]."""

    edges: tuple[float, ...]
    log: bool

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    def draw(self, action: int, *, generator: np.random.Generator) -> Value:
        low, high = self.edges[action], self.edges[action + 1]
        part = generator.random()
        value = low * (high / low) ** part if self.log else low + (high - low) * part
        return float(min(max(value, low), high))

    def action_of(self, value: Value) -> int:
        return min(max(bisect_right(self.edges, _number(value)) - 1, 0), self.count - 1)


def _number(value: Value) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
