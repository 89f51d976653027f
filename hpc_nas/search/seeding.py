"""Every random number of a search follows from the campaign's seed, the candidate's number and the warm start."""

from __future__ import annotations

import numpy as np

__all__ = ["candidate_seed", "draw_seed"]

_DRAW, _CANDIDATE = 0, 1


def draw_seed(campaign_seed: int, number: int, redraw: int, *, num_learnt: int = 0) -> int:
    """Seed of the sampler of one draw: 32 bits, which is what Optuna's samplers take.

    After a warm start with `num_learnt` candidates it is another one: an earlier campaign with the same seed has drawn
    by the first.
    """
    warm = (num_learnt,) if num_learnt else ()
    return int(_sequence(campaign_seed, _DRAW, number, redraw, *warm).generate_state(1, np.uint32)[0])


def candidate_seed(campaign_seed: int, number: int) -> int:
    """Seed of one candidate's training: 63 bits, which fit a signed integer everywhere."""
    return int(_sequence(campaign_seed, _CANDIDATE, number).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(campaign_seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(campaign_seed, spawn_key=key)
