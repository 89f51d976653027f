"""Find a search strategy by its name, and check its options."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from optuna.samplers import BaseSampler

from hpc_nas.configuration import SearchSection
from hpc_nas.configuration.nearest import nearest
from hpc_nas.errors import ConfigurationError
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.random import random_sampler
from hpc_nas.search.strategy import Strategy
from hpc_nas.search.tpe import tpe_sampler
from hpc_nas.spaces.options import resolve_options
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.space import Space

__all__ = ["SAMPLERS", "make_strategy"]

SAMPLERS: dict[str, Callable[..., BaseSampler]] = {"random": random_sampler, "tpe": tpe_sampler}
"""`function(seed, **options) -> sampler`, by the name that a campaign file uses."""


def make_strategy(section: SearchSection, *, space: Space, problem: Problem, seed: int) -> Strategy:
    """The strategy that `[search]` names, over `space`, for a campaign with this seed.

    Raises ConfigurationError for an unknown name or option (the nearest is offered) and a value out of range.
    """
    if section.name not in SAMPLERS:
        raise ConfigurationError(
            f"[search]: unknown strategy {section.name!r}{nearest(section.name, SAMPLERS)}"
        )
    make_sampler = SAMPLERS[section.name]
    options = resolve_options(
        make_sampler,
        section.options,
        leading=("seed",),
        where=f"[search] {section.name}",
        error=ConfigurationError,
    )
    return OptunaStrategy(
        space=space, problem=problem, seed=seed, make_sampler=partial(make_sampler, **options)
    )
