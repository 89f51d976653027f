"""Forecaster: families of learning curves, one alone or several weighted by how well they explain the curve."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.checks import nearest, require_count, require_positive
from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.separable.families import DISTINCT, FAMILIES
from estimator.forecasters.separable.posterior import outlook
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["FamilyBank"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyBank(Forecaster):
    """The best accuracy at the full budget, with spread and 90 % interval, by a posterior over `families`.

    `families` names members of `FAMILIES`; a single name is that family alone. The forecast is never below the
    best so far nor above 100. See `posterior` for the method.
    """

    max_epochs: float
    families: tuple[str, ...] = DISTINCT
    min_points: int = 3

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_count("min_points", self.min_points, minimum=1)
        if not isinstance(self.families, tuple) or not self.families:
            raise ValueError(f"families = {self.families!r} must name at least one, in a tuple")
        for name in self.families:
            if name not in FAMILIES:
                raise ValueError(f"families: unknown family {name!r}{nearest(str(name), list(FAMILIES))}")

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if len(curve) < self.min_points:
            return None
        final = outlook(self.families, curve.epochs, curve.val_accuracy, max_epochs=self.max_epochs)
        return Forecast(
            value=final.mean,
            spread=final.spread,
            at_max_epochs=final.mean,
            num_points=len(curve),
            low=final.low,
            high=final.high,
        )
