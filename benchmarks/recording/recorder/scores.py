"""Scores in 0..100 of losses, higher is better: what stands as val_acc where accuracy would say too little."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recorder.recordings import Curves

LARGEST_LOSS = 1e4
_ANY_LOSS = 9.0
"""Stands for the losses of diverged networks, whose score is 0 whatever they are."""


def below_chance_loss(*, num_classes: int) -> Callable[[Curves], Curves]:
    """The share of the uniform guess's loss that is gone, percent: 100 (1 - loss / log classes), at least 0."""

    def score(losses: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(100 * (1 - losses / math.log(num_classes)), 0, 100)

    return lambda curves: _scored(curves, score)


def exponential_of_loss(*, scale: float) -> Callable[[Curves], Curves]:
    """100 exp(-loss / scale)."""
    return lambda curves: _scored(curves, lambda losses: 100 * np.exp(-losses / scale))


def _scored(curves: Curves, score: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Curves:
    """With the score as val_acc, 0 from the moment that a network diverged; accuracies, if any, as `accuracy`."""
    losses = curves["val_loss"]
    lost = ~np.isfinite(losses) | (losses > LARGEST_LOSS)
    diverged = np.maximum.accumulate(lost, axis=1)
    scores = np.where(diverged, 0, score(np.where(diverged, _ANY_LOSS, losses))).astype(np.float32)
    kept = {"accuracy": curves["val_acc"]} if "val_acc" in curves else {}
    return {**curves, **kept, "val_acc": scores}
