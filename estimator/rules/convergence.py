"""Rule: stop when the forecasts have become stable (PEng4NN, section III-C, as its text says it).

The other versions of the engine differ in the hooks at the end: what must be stable, around what, and what
is valid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean

from estimator.checks import require_count, require_flag, require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.loss import epochs_since_minimum
from estimator.rules.never_learn import NeverLearn
from estimator.values import Decision, Numbers, Reason

__all__ = ["Convergence", "forecasts_in_a_row"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Convergence(Rule):
    """Stop when the last `window` forecasts are all within `tolerance` points of their mean.

    Condition 1: the latest forecast is at most 100. Condition 2: stable, as above. Condition 3, with
    `loss_check`: the validation loss of a network that is forecast never to learn has had no new minimum for
    `loss_patience_epochs`; where that loss is not known or not finite, the rule goes on. Symbols of Table II:
    N, t, LOSS, L.
    """

    window: int = 3
    tolerance: float = 0.5
    loss_check: bool = False
    loss_patience_epochs: float = 5.0
    never_learn: NeverLearn = field(default_factory=NeverLearn)

    def __post_init__(self) -> None:
        require_count("window", self.window, minimum=2)
        require_positive("tolerance", self.tolerance)
        require_flag("loss_check", self.loss_check)
        require_positive("loss_patience_epochs", self.loss_patience_epochs)
        if self.loss_check and math.isnan(self.never_learn.chance_accuracy):
            raise ValueError(
                "loss_check = True needs chance_accuracy: "
                "the largest class's share of the validation set, in percent"
            )

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, values = forecasts[-1], self._window(curve, forecasts)
        if forecast is None or len(values) < self.window:
            return go(forecast)
        centre = self._centre(values)
        numbers: Numbers = (("centre", centre), ("deviation", max(abs(value - centre) for value in values)))
        stable = all(centre - self.tolerance <= value <= centre + self.tolerance for value in values)
        if not (stable and self._valid(forecasts)):
            return go(forecast, numbers=numbers)
        if not self.never_learn.applies_to(forecast):
            return stop(forecast, reason=Reason.CONVERGED, numbers=numbers)
        if self.loss_check:
            waited = epochs_since_minimum(curve.epochs, curve.val_loss)
            numbers += (("epochs_since_minimum_loss", waited),)
            if not waited >= self.loss_patience_epochs - SLACK:
                return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.NEVER_LEARN, numbers=numbers)

    def _window(self, curve: Curve, forecasts: Forecasts) -> list[float]:
        """What must be stable, latest first, up to `window` values. A failed fit starts it again."""
        return forecasts_in_a_row(forecasts, limit=self.window)

    def _centre(self, values: list[float]) -> float:
        """What the values must be near to."""
        return fmean(values)

    def _valid(self, forecasts: Forecasts) -> bool:
        """Whether the latest forecast can be true; above 100 the fit has only seen the steepest part."""
        latest = forecasts[-1]
        return latest is not None and latest.value <= 100.0


def forecasts_in_a_row(forecasts: Forecasts, *, limit: int) -> list[float]:
    """The latest forecasts, latest first, back to the last observation that had none, and at most `limit`."""
    values: list[float] = []
    for forecast in reversed(forecasts):
        if forecast is None or len(values) == limit:
            break
        values.append(forecast.value)
    return values
