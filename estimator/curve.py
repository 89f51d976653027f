"""The learning curve of one candidate: observations, checked as they are appended."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "InvalidObservation"]


class InvalidObservation(ValueError):
    """An observation that can't be: it is refused, and the curve stays as it was."""


class Curve:
    """Append-only learning curve. Epochs rise strictly (may be fractional); accuracies are in percent.

    `val_accuracy` is always finite. Losses and `train_accuracy` are NaN where they are not known; a loss may
    be infinite.
    """

    def __init__(self) -> None:
        self._epochs: list[float] = []
        self._val_accuracy: list[float] = []
        self._val_loss: list[float] = []
        self._train_loss: list[float] = []
        self._train_accuracy: list[float] = []

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
        self._epochs.append(epoch)
        self._val_accuracy.append(val_accuracy)
        self._val_loss.append(val_loss)
        self._train_loss.append(train_loss)
        self._train_accuracy.append(train_accuracy)

    def __len__(self) -> int:
        return len(self._epochs)

    def __repr__(self) -> str:
        return f"Curve({len(self)} observations)"

    @property
    def epochs(self) -> NDArray[np.float64]:
        """Epochs trained at each observation, [n]."""
        return np.array(self._epochs)

    @property
    def val_accuracy(self) -> NDArray[np.float64]:
        """Validation accuracy, percent, [n]."""
        return np.array(self._val_accuracy)

    @property
    def val_loss(self) -> NDArray[np.float64]:
        """Validation loss, [n]; NaN where unknown."""
        return np.array(self._val_loss)

    @property
    def train_loss(self) -> NDArray[np.float64]:
        """Training loss, [n]; NaN where unknown."""
        return np.array(self._train_loss)

    @property
    def train_accuracy(self) -> NDArray[np.float64]:
        """Training accuracy, percent, [n]; NaN where unknown."""
        return np.array(self._train_accuracy)

    @property
    def last_epoch(self) -> float:
        """Epochs trained so far; 0 before the first observation."""
        return self._epochs[-1] if self._epochs else 0.0

    @property
    def last_accuracy(self) -> float:
        """The latest validation accuracy, percent; NaN before the first observation."""
        return self._val_accuracy[-1] if self._val_accuracy else math.nan

    @property
    def best_accuracy(self) -> float:
        """The highest validation accuracy so far, percent; NaN before the first observation."""
        return max(self._val_accuracy, default=math.nan)

    def _check_epoch(self, epoch: float) -> None:
        if not math.isfinite(epoch) or epoch <= 0.0:
            raise InvalidObservation(f"epoch = {epoch!r} must be finite and above 0: epochs trained so far")
        if epoch <= self.last_epoch:
            raise InvalidObservation(
                f"epoch = {epoch:g} does not come after the last observation, at {self.last_epoch:g}; "
                "give each candidate (and each new attempt) an Engine of its own"
            )


def _check_accuracy(name: str, value: float, *, epoch: float) -> None:
    if not math.isfinite(value):
        raise InvalidObservation(
            f"epoch {epoch:g}: {name} = {value!r} is not finite; a network that gives it has failed, end it"
        )
    if not 0.0 <= value <= 100.0:
        raise InvalidObservation(f"epoch {epoch:g}: {name} = {value!r} is outside 0..100 percent")
