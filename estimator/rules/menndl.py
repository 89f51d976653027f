"""Rule: MENNDL's own early termination, the baseline that PEng4NN is measured against (its section IV-B)."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.checks import require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.loss import epochs_since_minimum
from estimator.values import Decision, Reason

__all__ = ["Menndl"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Menndl(Rule):
    """Stop, as converged, when the training loss has had no new minimum for `patience_epochs`.

    Where the latest training loss is not known or not finite, it goes on.
    """

    patience_epochs: float = 10.0

    def __post_init__(self) -> None:
        require_positive("patience_epochs", self.patience_epochs)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        waited = epochs_since_minimum(curve.epochs, curve.train_loss)
        numbers = (("epochs_since_minimum_loss", waited),)
        if forecast is None or not waited >= self.patience_epochs - SLACK:
            return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.CONVERGED, numbers=numbers)
