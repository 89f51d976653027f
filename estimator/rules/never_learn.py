"""When a forecast says that a network will never learn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from estimator.checks import require_at_least, require_percent_or_nan
from estimator.values import Forecast

__all__ = ["NeverLearn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverLearn:
    """No better than guessing the largest class, give or take `margin` points (PEng4NN, section III-C1).

    `chance_accuracy` is that class's share of the validation set, percent; NaN where unknown: then no
    forecast is a never-learn forecast. Judged is the curve at the full budget, not its asymptote, which on a
    flat curve lies one point too high (docs/decisions/0002).
    """

    chance_accuracy: float = math.nan
    margin: float = 1.0

    def __post_init__(self) -> None:
        require_percent_or_nan("chance_accuracy", self.chance_accuracy)
        require_at_least("never_learn_margin", self.margin, minimum=0.0)

    def applies_to(self, forecast: Forecast) -> bool:
        """Whether this is a never-learn forecast."""
        return forecast.at_max_epochs <= self.chance_accuracy + self.margin
