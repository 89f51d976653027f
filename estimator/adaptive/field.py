"""The field: all candidates of a population side by side, each at the level that it has come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.adaptive.levels import Levels
from estimator.adaptive.portrait import NUM_FEATURES, NUM_SIGNALS, Portrait, draw_portrait
from estimator.forecasters.learned.curve_matrix import Array
from estimator.history import Described, Ended, History, Observed, Standing

__all__ = ["Album", "Field"]

_OUT = (Standing.FAILED, Standing.LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """n candidates that have come to at least the first of J levels.

    `numbers` and `level` [n]; `features` [n, J, p], NaN above a candidate's level, the first of them the highest
    score so far. The training signal is among them if every candidate has it. `lengths` [n]: observations.
    """

    numbers: NDArray[np.int64]
    level: NDArray[np.intp]
    features: Array
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.numbers.size)

    @property
    def num_levels(self) -> int:
        return int(self.features.shape[1])

    @property
    def best(self) -> Array:
        """The highest score so far, at each level, [n, J]."""
        best: Array = self.features[:, :, 0]
        return best

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Who has come to the full budget, [n]."""
        done: NDArray[np.bool_] = self.level == self.num_levels - 1
        return done

    def features_of(self, portrait: Portrait) -> Array:
        """A portrait's features [J, p or fewer] as this field has them; without what the candidate lacks."""
        features = np.concatenate([portrait.features, portrait.signals], axis=1)
        complete = np.isfinite(features[: portrait.level + 1]).all()
        return features[:, : self.features.shape[2]] if complete else portrait.features


class Album:
    """Portraits of all candidates of one history as they were at one version; brought forward event by event."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.version = 0
        self._rows: dict[int, int] = {}
        self._failed: set[int] = set()
        self._lengths = np.zeros(0, dtype=np.int64)
        self._level = np.zeros(0, dtype=np.intp)
        self._in = np.zeros(0, dtype=bool)
        self._features = np.zeros((0, len(levels), NUM_FEATURES + NUM_SIGNALS))

    def advance(self, history: History, *, version: int) -> None:
        """Take in the events up to `version`, which must not lie behind the album's own."""
        touched: dict[int, None] = {}
        for event in history.events_since(self.version, until=version):
            if isinstance(event, Described):
                continue  # no curve yet
            row = self._row(event.candidate)
            if isinstance(event, Observed):
                self._lengths[row] += 1
                self._in[row] = event.candidate not in self._failed
            elif isinstance(event, Ended) and event.standing in _OUT:
                self._in[row] = False
                self._lengths[row] = 0
                if event.standing is Standing.FAILED:
                    self._failed.add(event.candidate)
            touched[event.candidate] = None
        self.version = version
        for number in touched:
            self._redraw(history, number)

    def field(self, *, without: frozenset[int] = frozenset()) -> Field:
        """The candidates that have come to a level and are neither failed nor lost, nor among `without`."""
        wanted = self._in & (self._level >= 0)
        wanted[[self._rows[number] for number in without if number in self._rows]] = False
        rows = np.flatnonzero(wanted)
        level = self._level[rows]
        features = self._features[rows]
        reached = np.arange(len(self._levels)) <= level[:, None]
        if not (len(rows) and np.isfinite(features[reached]).all()):
            features = features[:, :, :NUM_FEATURES]
        numbers = np.array(list(self._rows), dtype=np.int64)[rows]
        return Field(numbers=numbers, level=level, features=features, lengths=self._lengths[rows])

    def _row(self, number: int) -> int:
        if number not in self._rows:
            self._rows[number] = len(self._rows)
            if len(self._rows) > len(self._in):
                self._grow()
        return self._rows[number]

    def _grow(self) -> None:
        more = max(16, len(self._in))
        self._lengths = np.concatenate([self._lengths, np.zeros(more, dtype=np.int64)])
        self._level = np.concatenate([self._level, np.full(more, -1, dtype=np.intp)])
        self._in = np.concatenate([self._in, np.zeros(more, dtype=bool)])
        blank = np.full((more, *self._features.shape[1:]), np.nan)
        self._features = np.concatenate([self._features, blank])

    def _redraw(self, history: History, number: int) -> None:
        row = self._rows[number]
        # A curve that was lost after this version has begun again; whoever asks leaves that candidate out.
        length = min(int(self._lengths[row]), len(history.members[number].curve))
        portrait = draw_portrait(history.members[number].curve, self._levels, length=length)
        self._level[row] = portrait.level
        self._features[row, :, :NUM_FEATURES] = portrait.features
        self._features[row, :, NUM_FEATURES:] = portrait.signals
