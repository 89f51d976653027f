"""Rule: predictive termination: stop what will hardly beat the best of the population (Domhan et al., IJCAI 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator.checks import require_positive, require_probability
from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.checkpoints import is_at_checkpoint, require_checkpoints
from estimator.rules.probability import probability_at_least
from estimator.values import Decision, Reason

__all__ = ["PredictiveTermination"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictiveTermination(Rule):
    """Stop at a checkpoint if P(final accuracy > best seen in the population) < `probability` (section 4).

    A checkpoint is the first observation at or after that share of `max_epochs`. While nobody else has been
    observed, and where a forecast has no spread, all go on; so does a candidate that has itself reached the best.
    """

    alone: ClassVar[bool] = False
    max_epochs: float
    probability: float = 0.05
    checkpoints: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75)

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_probability("probability", self.probability)
        require_checkpoints(self.checkpoints)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or not is_at_checkpoint(curve, self.checkpoints, max_epochs=self.max_epochs):
            return go(forecast)
        best = max(
            (member.curve.best_accuracy for member in population.others if len(member.curve)), default=None
        )
        if best is None:
            return go(forecast)
        likely = probability_at_least(best, forecast)
        numbers = (("probability", likely), ("best", best))
        if likely < self.probability and curve.best_accuracy < best:
            return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
        return go(forecast, numbers=numbers)
