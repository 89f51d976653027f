"""The learning curve of one candidate: observations, checked as they are appended."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SLACK", "Array", "Curve", "InvalidObservation", "epochs_since_minimum"]

Array: TypeAlias = NDArray[np.float64]

SLACK = 1e-9
"""Epochs by which sums of fractional intervals may miss a whole number."""

NUM_COLUMNS = 6


class InvalidObservation(ValueError):
    """An observation that can't be: it is refused, and the curve stays as it was."""


class Curve:
    """Append-only learning curve. Epochs rise strictly (may be fractional); accuracies are in percent.

    `val_accuracy` is always finite. Losses and `train_accuracy` are NaN where they are not known; a loss may
    be infinite.
    """

    def __init__(self) -> None:
        self._rows = np.empty((8, NUM_COLUMNS))
        self._length = 0

    def append(
        self,
        epoch: float,
        *,
        val_accuracy: float,
        val_loss: float = math.nan,
        train_loss: float = math.nan,
        train_accuracy: float = math.nan,
    ) -> None:
        """Add one observation. Raises InvalidObservation if it can't be one, and then adds nothing."""
        epoch, val_accuracy, train_accuracy = float(epoch), float(val_accuracy), float(train_accuracy)
        val_loss, train_loss = float(val_loss), float(train_loss)
        self._check_epoch(epoch)
        _check_accuracy("val_accuracy", val_accuracy, epoch=epoch)
        if not math.isnan(train_accuracy):
            _check_accuracy("train_accuracy", train_accuracy, epoch=epoch)
        if self._length == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        best = max(val_accuracy, self.best_accuracy) if self._length else val_accuracy
        self._rows[self._length] = epoch, val_accuracy, val_loss, train_loss, train_accuracy, best
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"Curve({len(self)} observations)"

    @property
    def epochs(self) -> Array:
        """Epochs trained at each observation, [n]."""
        return self._column(0)

    @property
    def val_accuracy(self) -> Array:
        """Validation accuracy, percent, [n]."""
        return self._column(1)

    @property
    def val_loss(self) -> Array:
        """Validation loss, [n]; NaN where unknown."""
        return self._column(2)

    @property
    def train_loss(self) -> Array:
        """Training loss, [n]; NaN where unknown."""
        return self._column(3)

    @property
    def train_accuracy(self) -> Array:
        """Training accuracy, percent, [n]; NaN where unknown."""
        return self._column(4)

    @property
    def last_epoch(self) -> float:
        """Epochs trained so far; 0 before the first observation."""
        return float(self._rows[self._length - 1, 0]) if self._length else 0.0

    @property
    def last_accuracy(self) -> float:
        """The latest validation accuracy, percent; NaN before the first observation."""
        return float(self._rows[self._length - 1, 1]) if self._length else math.nan

    @property
    def best_accuracy(self) -> float:
        """The highest validation accuracy so far, percent; NaN before the first observation."""
        return float(self._rows[self._length - 1, 5]) if self._length else math.nan

    @property
    def best_so_far(self) -> Array:
        """The highest validation accuracy up to each observation, percent, [n]."""
        return self._column(5)

    def _column(self, index: int) -> Array:
        """A view that can't be written through; it keeps its length when the curve grows."""
        column = self._rows[: self._length, index]
        column.flags.writeable = False
        return column

    def _check_epoch(self, epoch: float) -> None:
        if not math.isfinite(epoch) or epoch <= 0.0:
            raise InvalidObservation(f"epoch = {epoch!r} must be finite and above 0: epochs trained so far")
        if epoch <= self.last_epoch:
            raise InvalidObservation(
                f"epoch = {epoch:g} does not come after the last observation, at {self.last_epoch:g}; "
                "give each candidate (and each new attempt) an Engine of its own"
            )


def epochs_since_minimum(epochs: Array, losses: Array) -> float:
    """Epochs from the lowest finite loss (the first, if it came again) to the latest observation.

    NaN where the latest loss is not finite: then nothing is known about it, and comparisons with NaN refuse.
    """
    if not math.isfinite(losses[-1]):
        return math.nan
    lowest = int(np.argmin(np.where(np.isfinite(losses), losses, math.inf)))
    return float(epochs[-1] - epochs[lowest])


def _check_accuracy(name: str, value: float, *, epoch: float) -> None:
    if not math.isfinite(value):
        raise InvalidObservation(
            f"epoch {epoch:g}: {name} = {value!r} is not finite; a network that gives it has failed, end it"
        )
    if not 0.0 <= value <= 100.0:
        raise InvalidObservation(f"epoch {epoch:g}: {name} = {value!r} is outside 0..100 percent")
