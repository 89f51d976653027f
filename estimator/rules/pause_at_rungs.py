"""Rule: pause every candidate at every rung, and let a promotion say who goes on."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, pause
from estimator.rules.brackets import Brackets
from estimator.rules.rungs import crossed
from estimator.values import Decision, Reason

__all__ = ["PauseAtRungs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseAtRungs(Rule):
    """Pause at the first observation that reaches a rung of the candidate's bracket."""

    brackets: Brackets

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        rungs = crossed(self.brackets.cohort(population.candidate).bracket.rungs, curve)
        if forecast is None or not rungs:
            return go(forecast)
        return pause(forecast, reason=Reason.RUNG, numbers=(("rung_epoch", rungs[-1].epoch),))
