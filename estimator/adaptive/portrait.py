"""A candidate's portrait: what its curve looked like at each level that it has come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimator.adaptive.levels import Levels
from estimator.curve import SLACK, Curve
from estimator.forecasters.learned.curve_matrix import HIGHEST_LOSS, LOWEST_LOSS, Array, score_of

__all__ = ["NUM_FEATURES", "NUM_SIGNALS", "Portrait", "draw_portrait"]

NUM_FEATURES = 7
NUM_SIGNALS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Portrait:
    """One candidate at levels 0 .. `level` (-1: none yet); what comes after is NaN.

    `features` [J, 7] describe the validation curve, the first of them is the highest score so far (`score_of`);
    `signals` [J, 4] describe the training curve (NaN where it is not known).
    """

    level: int
    features: Array
    signals: Array


def draw_portrait(curve: Curve, levels: Levels, *, length: int) -> Portrait:
    """The portrait of a curve's first `length` observations."""
    epochs = curve.epochs[:length]
    level = levels.reached_by(float(epochs[-1])) if length else -1
    features = np.full((len(levels), NUM_FEATURES), np.nan)
    signals = np.full((len(levels), NUM_SIGNALS), np.nan)
    scores = score_of(curve.val_accuracy[:length])
    highest = np.maximum.accumulate(scores)
    signal = _signal(curve, length)
    counts = np.searchsorted(epochs, levels.epochs[: level + 1] + SLACK, side="right").tolist()
    for index, count in enumerate(counts):
        seen = max(count, 1)  # at a level before its first observation, that one stands for the candidate
        features[index] = _features(scores[:seen], highest[:seen])
        signals[index] = _signal_features(signal[:seen])
    return Portrait(level=level, features=features, signals=signals)


def _features(scores: Array, highest: Array) -> list[float]:
    """Best so far; how far last, mean, mean of the last three lie from it; what it gained lately."""
    count, now = len(scores), highest[-1]
    return [
        now,
        scores[-1] - now,
        scores.mean() - now,
        now - highest[max((count + 1) // 2, 1) - 1],
        now - highest[max(count - 1, 1) - 1],
        scores[-3:].mean() - now,
        now - highest[max(count - 4, 1) - 1],
    ]


def _signal(curve: Curve, length: int) -> Array:
    """The training curve, larger is better: minus the logarithm of the loss, or else the accuracy's score."""
    loss = curve.train_loss[:length]
    if np.isnan(loss).all():
        return score_of(curve.train_accuracy[:length])
    # A loss that is not finite is as bad as one can be.
    known = np.where(np.isnan(loss), HIGHEST_LOSS, np.clip(loss, LOWEST_LOSS, HIGHEST_LOSS))
    return -np.log(known)


def _signal_features(signal: Array) -> list[float]:
    """Last, mean, mean of the second half, gain since the first."""
    return [signal[-1], signal.mean(), signal[len(signal) // 2 :].mean(), signal[-1] - signal[0]]
