"""The strategy `random`: independent draws, whatever the outcomes."""

from __future__ import annotations

from optuna.samplers import RandomSampler

from hpc_nas.search.sampling import Memoryless, Sampling, SearchContext

__all__ = ["random_search"]


def random_search(context: SearchContext) -> Sampling:
    """Optuna's RandomSampler. It has no options."""
    return Memoryless(lambda seed: RandomSampler(seed=seed))
