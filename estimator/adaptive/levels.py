"""The levels: fractions of the full budget at which candidates are compared, and paused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from estimator.checks import require_positive
from estimator.curve import SLACK, Curve

__all__ = ["FRACTIONS", "Levels"]

FRACTIONS = (0.04, 0.08, 0.12, 0.16, 0.20, 0.25, 0.30, 0.35, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 1.0)
"""Of the full budget (docs/science.md, "Pause and resume")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Whole numbers of intervals nearest above `FRACTIONS` of `max_epochs`; the last is the full budget.

    `epochs` [J] are the epochs trained at each level.
    """

    max_epochs: float
    epochs_per_interval: float
    epochs: NDArray[np.float64] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_positive("epochs_per_interval", self.epochs_per_interval)
        total = max(1.0, self.max_epochs / self.epochs_per_interval)
        counts = {max(1, int(np.ceil(fraction * total - SLACK))) for fraction in FRACTIONS}
        epochs = np.array(sorted(counts)) * self.epochs_per_interval
        epochs[-1] = self.max_epochs
        object.__setattr__(self, "epochs", epochs)

    def __len__(self) -> int:
        return int(self.epochs.size)

    def reached_by(self, epoch: float) -> int:
        """The highest level that training for so many epochs reaches; -1 before the first."""
        return int(np.searchsorted(self.epochs, epoch + SLACK, side="right")) - 1

    def just_reached(self, curve: Curve) -> bool:
        """Is the latest observation the first at or after a level below the full budget?"""
        level = self.reached_by(curve.last_epoch)
        if not 0 <= level < len(self) - 1:
            return False
        before = float(curve.epochs[-2]) if len(curve) > 1 else 0.0
        return self.reached_by(before) < level
