"""Every random number of a search follows from the campaign's seed and the candidate's number."""

from __future__ import annotations

import numpy as np

__all__ = ["candidate_seed", "draw_seed"]

_DRAW, _CANDIDATE = 0, 1


def draw_seed(campaign_seed: int, number: int, redraw: int) -> int:
    """Seed of the sampler of one draw: 32 bits, which is what Optuna's samplers take."""
    return int(_sequence(campaign_seed, _DRAW, number, redraw).generate_state(1, np.uint32)[0])


def candidate_seed(campaign_seed: int, number: int) -> int:
    """Seed of one candidate's training: 63 bits, which fit a signed integer everywhere."""
    return int(_sequence(campaign_seed, _CANDIDATE, number).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(campaign_seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(campaign_seed, spawn_key=key)
