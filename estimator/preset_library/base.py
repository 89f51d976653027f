"""A preset, and what every builder of one is told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from estimator.checks import require_percent_or_nan, require_positive
from estimator.forecasters import Forecaster
from estimator.promotions import NoPromotion, Promotion
from estimator.rules import NeverLearn, Rule
from estimator.values import Source

__all__ = ["Preset", "Training"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """What an Engine follows. Build one by name with `preset`, or combine parts of your own.

    `promotion` says which of the candidates that `rule` has paused goes on when a trainer is free. `chance_accuracy`
    is the largest class's share of the validation set in percent (NaN: unknown).
    """

    name: str
    max_epochs: float
    forecaster: Forecaster
    rule: Rule
    conclusion: Source
    promotion: Promotion = field(default_factory=NoPromotion)
    chance_accuracy: float = math.nan

    @property
    def pauses(self) -> bool:
        """Whether candidates may be paused: then training must be resumable."""
        return not isinstance(self.promotion, NoPromotion)

    @property
    def alone(self) -> bool:
        """Whether a decision rests on the candidate's own curve alone, whatever the others and their order."""
        return self.forecaster.alone and self.rule.alone and not self.pauses

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_percent_or_nan("chance_accuracy", self.chance_accuracy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The training that a preset watches: its full budget, the epochs between validations, and the largest
    class's share of the validation set in percent (NaN: unknown).
    """

    max_epochs: float
    epochs_per_interval: float
    chance_accuracy: float

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_positive("epochs_per_interval", self.epochs_per_interval)
        require_percent_or_nan("chance_accuracy", self.chance_accuracy)
        if self.epochs_per_interval > self.max_epochs:
            raise ValueError(
                f"epochs_per_interval = {self.epochs_per_interval} is more than "
                f"max_epochs = {self.max_epochs}"
            )

    def never_learn(self, margin: float) -> NeverLearn:
        return NeverLearn(chance_accuracy=self.chance_accuracy, margin=margin)
