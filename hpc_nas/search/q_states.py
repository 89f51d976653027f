"""What a learning agent knows when it chooses: the state in which a parameter is drawn.

Over the space `metaqnn` it is Baker's state (Table 1). Over any other space, whatever its parameters mean, it is the
parameter's name with its distribution, and the action taken just before: a walk from parameter to parameter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from optuna.distributions import BaseDistribution

from hpc_nas.search.discrete import Value, actions_of
from hpc_nas.spaces.metaqnn import metaqnn as metaqnn_space
from hpc_nas.spaces.metaqnn import metaqnn_rules
from hpc_nas.spaces.metaqnn_rules import Position, Rules, parse_action
from hpc_nas.spaces.problem import AnyProblem, Problem
from hpc_nas.spaces.space import Space

__all__ = ["Drawn", "States", "states_of"]

_RULES_OPTIONS = ("max_layers", "max_fully_connected", "first", "windows", "width_divisor")


class Drawn(NamedTuple):
    """A parameter of a draw, with its value."""

    name: str
    distribution: BaseDistribution
    value: Value


class States(ABC):
    """How the states of one space are told apart."""

    @abstractmethod
    def state(self, name: str, distribution: BaseDistribution, *, before: Sequence[Drawn]) -> Hashable:
        """The state in which this parameter is drawn, after those `before` it, in their order."""


def states_of(space: Space, problem: AnyProblem, *, num_bins: int) -> States:
    """Those of the space, with its options; long ranges of numbers are one action for each of `num_bins` bins."""
    if space.function is not metaqnn_space or not isinstance(problem, Problem):
        return _Names(num_bins=num_bins)
    rules = metaqnn_rules(**{name: space.options[name] for name in _RULES_OPTIONS if name in space.options})
    return _Layers(rules=rules, size=min(problem.height, problem.width))


@dataclass(frozen=True, kw_only=True)
class _Names(States):
    num_bins: int

    def state(self, name: str, distribution: BaseDistribution, *, before: Sequence[Drawn]) -> Hashable:
        if not before:
            return name, distribution
        last = before[-1]
        action = actions_of(last.distribution, num_bins=self.num_bins).action_of(last.value)
        return name, distribution, last.name, action


@dataclass(frozen=True, kw_only=True)
class _Layers(States):
    rules: Rules
    size: int

    def state(self, name: str, distribution: BaseDistribution, *, before: Sequence[Drawn]) -> Hashable:
        return _position(self.rules, self.size, tuple(str(drawn.value) for drawn in before)).state


@lru_cache(maxsize=10_000)
def _position(rules: Rules, size: int, layers: tuple[str, ...]) -> Position:
    """Where the walk stands after these layers; what leaves no choice is passed, as the space does not ask."""
    if not layers:
        return rules.choice(rules.start(size=size))
    *before, last = layers
    return rules.choice(rules.step(_position(rules, size, tuple(before)), parse_action(last)))
