"""Find a search strategy by its name, and check its options."""

from __future__ import annotations

from collections.abc import Callable

from hpc_nas.configuration import SearchSection
from hpc_nas.configuration.nearest import nearest
from hpc_nas.errors import ConfigurationError
from hpc_nas.search.asha import asha
from hpc_nas.search.bohb import bohb
from hpc_nas.search.generational import Generational
from hpc_nas.search.given import given
from hpc_nas.search.grid import grid
from hpc_nas.search.hyperband import hyperband
from hpc_nas.search.limits import NO_LIMITS, Limits
from hpc_nas.search.metaqnn import metaqnn
from hpc_nas.search.nsga2 import nsga2
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.random import random_search
from hpc_nas.search.regularized_evolution import regularized_evolution
from hpc_nas.search.sampling import Sampling, SearchContext
from hpc_nas.search.strategy import Strategy
from hpc_nas.search.tpe import tpe
from hpc_nas.spaces.options import resolve_options

__all__ = ["STRATEGIES", "make_strategy"]

STRATEGIES: dict[str, Callable[..., Sampling]] = {
    "random": random_search,
    "grid": grid,
    "tpe": tpe,
    "regularized-evolution": regularized_evolution,
    "nsga2": nsga2,
    "metaqnn": metaqnn,
    "asha": asha,
    "hyperband": hyperband,
    "bohb": bohb,
}
"""`function(context, **options) -> Sampling`, by the name that a campaign file uses."""

STRATEGIES_OF_THEIR_OWN: dict[str, Callable[..., Strategy]] = {"given": given}
"""`function(context, **options) -> Strategy`: these draw nothing, and no limits apply."""


def make_strategy(section: SearchSection, *, context: SearchContext, limits: Limits = NO_LIMITS) -> Strategy:
    """The strategy that `[search]` names, for the campaign and the space of `context`, within `limits`.

    Raises ConfigurationError for an unknown name or option (the nearest is offered) and a value out of range.
    """
    known: dict[str, Callable[..., Sampling | Strategy]] = {**STRATEGIES, **STRATEGIES_OF_THEIR_OWN}
    if section.name not in known:
        raise ConfigurationError(f"[search]: unknown strategy {section.name!r}{nearest(section.name, known)}")
    make = known[section.name]
    options = resolve_options(
        make,
        section.options,
        leading=("context",),
        where=f"[search] {section.name}",
        error=ConfigurationError,
    )
    made = make(context, **options)
    strategy = (
        made
        if isinstance(made, Strategy)
        else OptunaStrategy(made, context=context, limits=limits, trains_repeats=section.train_repeats)
    )
    return strategy if section.generation is None else Generational(strategy, size=section.generation)
