"""A child of earlier candidates: it takes their parameters, all but those that mutate.

Parameters come and go with the architecture. The child is drawn define-by-run like any candidate: a parameter that
it has in common with its parents takes the inherited value where the space still allows it; one that is new to it,
or whose value no longer fits, is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

__all__ = ["ORPHAN", "Inheritance", "InheritingSampler", "mutable"]


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What a child takes over: values with the distributions they come from, and the names that mutate."""

    values: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    mutated: Set[str] = frozenset()


ORPHAN = Inheritance()
"""No parents: every parameter is random."""


def mutable(parent: FrozenTrial) -> list[str]:
    """Parameters that can take another value at all, in the order in which they were drawn."""
    return [name for name, distribution in parent.distributions.items() if not distribution.single()]


class InheritingSampler(BaseSampler):
    """Draws one child. A mutated parameter takes any value but the inherited one, all others being alike likely.

    A child whose only mutation is of a `mutable` parameter of its only parent is therefore no copy of it: up to that
    parameter it is drawn as its parent was, so that one is drawn as well, from the same values.
    """

    def __init__(self, *, seed: int, heredity: Callable[[Study, np.random.Generator], Inheritance]) -> None:
        """`heredity` chooses parents and crosses them; it is called once, when the first parameter is drawn."""
        self._heredity = heredity
        self._generator = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)
        self._inheritance = ORPHAN

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._inheritance = self._heredity(study, self._generator)
        return dict(self._inheritance.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        inherited = self._inheritance
        return {name: value for name, value in inherited.values.items() if name not in inherited.mutated}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """For what is mutated, new, or no longer allowed; a parameter with one value only is never asked for."""
        while True:
            value = self._random.sample_independent(study, trial, param_name, param_distribution)
            if param_name not in self._inheritance.mutated or value != self._inheritance.values[param_name]:
                return value
