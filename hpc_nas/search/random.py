"""The strategy `random`: independent draws, whatever the outcomes."""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

__all__ = ["random_sampler"]


def random_sampler(seed: int) -> BaseSampler:
    """Optuna's RandomSampler. It has no options."""
    return RandomSampler(seed=seed)
