"""Features of learning curves at each level: of one candidate, and of a whole population side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.adaptive.levels import Levels
from estimator.curve import SLACK, Array, Curve
from estimator.forecasters.learned.curve_matrix import HIGHEST_LOSS, LOWEST_LOSS, score_of
from estimator.history import Described, Ended, History, Observed, Standing

__all__ = ["CandidateFeatures", "FeatureStore", "PopulationFeatures", "extract_features"]

NUM_VALIDATION_FEATURES = 7
NUM_TRAINING_FEATURES = 4

_LEFT_OUT = (Standing.FAILED, Standing.LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateFeatures:
    """One candidate at levels 0 .. `level` (-1: none yet); later levels are NaN.

    `validation` [J, 7] describes the validation curve; its first column is the highest score so far (`score_of`).
    `training` [J, 4] describes the training curve (NaN where it is not known).
    """

    level: int
    validation: Array
    training: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class PopulationFeatures:
    """n candidates that have reached at least the first of J levels.

    `numbers` and `level` [n]; `values` [n, J, p], NaN above a candidate's level; the first of the p features is the
    highest score so far. Features of the training curve are included if every candidate has them. `lengths` [n]:
    number of observations.
    """

    numbers: NDArray[np.int64]
    level: NDArray[np.intp]
    values: Array
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.numbers.size)

    @property
    def num_levels(self) -> int:
        return int(self.values.shape[1])

    @property
    def best(self) -> Array:
        """The highest score so far, at each level, [n, J]."""
        best: Array = self.values[:, :, 0]
        return best

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which candidates have reached the full budget, [n]."""
        done: NDArray[np.bool_] = self.level == self.num_levels - 1
        return done

    def values_of(self, candidate: CandidateFeatures) -> Array:
        """One candidate's features as this population has them, [J, p]; fewer where the candidate lacks some."""
        values = np.concatenate([candidate.validation, candidate.training], axis=1)
        complete = np.isfinite(values[: candidate.level + 1]).all()
        return values[:, : self.values.shape[2]] if complete else candidate.validation


class FeatureStore:
    """Features of all candidates of one history as they were at one version; updated event by event."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.version = 0
        self._rows: dict[int, int] = {}
        self._failed: set[int] = set()
        self._lengths = np.zeros(0, dtype=np.int64)
        self._level = np.zeros(0, dtype=np.intp)
        self._included = np.zeros(0, dtype=bool)
        self._values = np.zeros((0, len(levels), NUM_VALIDATION_FEATURES + NUM_TRAINING_FEATURES))

    def advance(self, history: History, *, version: int) -> None:
        """Take in the events up to `version`, which must not be before the store's own."""
        touched: dict[int, None] = {}
        for event in history.events_since(self.version, until=version):
            if isinstance(event, Described):
                continue  # no curve yet
            row = self._row(event.candidate)
            if isinstance(event, Observed):
                self._lengths[row] += 1
                self._included[row] = event.candidate not in self._failed
            elif isinstance(event, Ended) and event.standing in _LEFT_OUT:
                self._included[row] = False
                self._lengths[row] = 0
                if event.standing is Standing.FAILED:
                    self._failed.add(event.candidate)
            touched[event.candidate] = None
        self.version = version
        for number in touched:
            self._update(history, number)

    def population_features(self, *, without: frozenset[int] = frozenset()) -> PopulationFeatures:
        """Those of the candidates that have reached a level, have neither failed nor been lost, and are not among
        `without`.
        """
        wanted = self._included & (self._level >= 0)
        wanted[[self._rows[number] for number in without if number in self._rows]] = False
        rows = np.flatnonzero(wanted)
        level = self._level[rows]
        values = self._values[rows]
        reached = np.arange(len(self._levels)) <= level[:, None]
        if not (len(rows) and np.isfinite(values[reached]).all()):
            values = values[:, :, :NUM_VALIDATION_FEATURES]
        numbers = np.array(list(self._rows), dtype=np.int64)[rows]
        return PopulationFeatures(numbers=numbers, level=level, values=values, lengths=self._lengths[rows])

    def _row(self, number: int) -> int:
        if number not in self._rows:
            self._rows[number] = len(self._rows)
            if len(self._rows) > len(self._included):
                self._grow()
        return self._rows[number]

    def _grow(self) -> None:
        more = max(16, len(self._included))
        self._lengths = np.concatenate([self._lengths, np.zeros(more, dtype=np.int64)])
        self._level = np.concatenate([self._level, np.full(more, -1, dtype=np.intp)])
        self._included = np.concatenate([self._included, np.zeros(more, dtype=bool)])
        blank = np.full((more, *self._values.shape[1:]), np.nan)
        self._values = np.concatenate([self._values, blank])

    def _update(self, history: History, number: int) -> None:
        row = self._rows[number]
        # A curve that was lost after this version has begun again; callers leave that candidate out.
        length = min(int(self._lengths[row]), len(history.members[number].curve))
        candidate = extract_features(history.members[number].curve, self._levels, length=length)
        self._level[row] = candidate.level
        self._values[row, :, :NUM_VALIDATION_FEATURES] = candidate.validation
        self._values[row, :, NUM_VALIDATION_FEATURES:] = candidate.training


def extract_features(curve: Curve, levels: Levels, *, length: int) -> CandidateFeatures:
    """Features of a curve's first `length` observations."""
    epochs = curve.epochs[:length]
    level = levels.reached_by(float(epochs[-1])) if length else -1
    validation = np.full((len(levels), NUM_VALIDATION_FEATURES), np.nan)
    training = np.full((len(levels), NUM_TRAINING_FEATURES), np.nan)
    scores = score_of(curve.val_accuracy[:length])
    highest = np.maximum.accumulate(scores)
    signal = _training_signal(curve, length)
    counts = np.searchsorted(epochs, levels.epochs[: level + 1] + SLACK, side="right").tolist()
    for index, count in enumerate(counts):
        seen = max(count, 1)  # a level before the first observation is described by that observation
        validation[index] = _validation_features(scores[:seen], highest[:seen])
        training[index] = _training_features(signal[:seen])
    return CandidateFeatures(level=level, validation=validation, training=training)


def _validation_features(scores: Array, highest: Array) -> list[float]:
    """Best so far; distances of the last, the mean and the mean of the last three from it; recent gains."""
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


def _training_signal(curve: Curve, length: int) -> Array:
    """The training curve, larger is better: minus the logarithm of the loss, or else the accuracy's score."""
    loss = curve.train_loss[:length]
    if np.isnan(loss).all():
        return score_of(curve.train_accuracy[:length])
    # A loss that is not finite counts as the highest one.
    known = np.where(np.isnan(loss), HIGHEST_LOSS, np.clip(loss, LOWEST_LOSS, HIGHEST_LOSS))
    return -np.log(known)


def _training_features(signal: Array) -> list[float]:
    """Last, mean, mean of the second half, gain since the first."""
    return [signal[-1], signal.mean(), signal[len(signal) // 2 :].mean(), signal[-1] - signal[0]]
