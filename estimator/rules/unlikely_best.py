"""Rule: stop a candidate that is unlikely to beat the best (Baker et al., arXiv 1705.10823, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator.checks import require_at_least, require_count, require_probability
from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.probability import normal_probability_below
from estimator.values import Decision, Reason

__all__ = ["UnlikelyBest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlikelyBest(Rule):
    """Stop when P(final accuracy <= that of the `rank`-th best candidate - `margin`) >= `certainty`.

    The forecast is taken to be normal around its value, with its spread. The best are those of the candidates
    that were trained to the end; until `burn_in` of them have been, all go on. The paper's symbols: n (`rank`),
    delta (`margin`, points), Delta (`certainty`).
    """

    alone: ClassVar[bool] = False
    certainty: float = 0.95
    margin: float = 0.0
    rank: int = 1
    burn_in: int = 20

    def __post_init__(self) -> None:
        require_probability("certainty", self.certainty)
        require_at_least("margin", self.margin, minimum=0.0)
        require_count("rank", self.rank, minimum=1)
        require_count("burn_in", self.burn_in, minimum=1)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None:
            return go(forecast)
        reached = sorted((member.curve.best_accuracy for member in population.finished), reverse=True)
        if len(reached) < max(self.burn_in, self.rank):
            return go(forecast)
        to_beat = reached[self.rank - 1] - self.margin
        certainty = normal_probability_below(to_beat, forecast)
        numbers = (("probability", certainty), ("to_beat", to_beat))
        if certainty >= self.certainty:
            return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
        return go(forecast, numbers=numbers)
