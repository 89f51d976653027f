"""Learning rate schedules: (step, total number of steps) to a factor of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recorder.optimizers import Factor

Schedule = Callable[[int, int], Factor]

WARMUP = 0.05


def constant(step: int, total: int) -> float:
    """The learning rate as it is."""
    return 1.0


def warmup_then_cosine(step: int, total: int) -> float:
    """Up linearly in the first 5 % of the steps, then down to zero along half a cosine."""
    if step < WARMUP * total:
        return (step + 1) / (WARMUP * total)
    return 0.5 * (1 + math.cos(math.pi * _after_warmup(step, total)))


def warmup_then_linear(step: int, total: int) -> float:
    """Up linearly in the first 5 % of the steps, then down to zero linearly."""
    if step < WARMUP * total:
        return (step + 1) / (WARMUP * total)
    return 1 - _after_warmup(step, total)


def linear_times_exponential(*, linear: NDArray[np.float32], exponential: NDArray[np.float32]) -> Schedule:
    """Each network's own two decays per step, [n] (Metz et al., TaskSet, arXiv 2002.11887)."""

    def factor(step: int, total: int) -> NDArray[np.float32]:
        return np.maximum(1 - linear * step, 0) * np.exp(-exponential * step)

    return factor


def _after_warmup(step: int, total: int) -> float:
    return (step - WARMUP * total) / (total - WARMUP * total)
