"""Rule: PEng4NN's Algorithm 2 by the letter: stable is what was measured, not what was forecast."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.checks import require_count, require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, go
from estimator.rules.convergence import Convergence
from estimator.values import Decision

__all__ = ["ListingConvergence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListingConvergence(Convergence):
    """As `Convergence`, but line 7: the last `window` *measured* accuracies are within `tolerance`.

    It acts once the epoch is above `window * epochs_per_interval` (line 3). A failed fit, which is none at an
    observation that has `min_points` before it, starts the window again.
    """

    epochs_per_interval: float
    min_points: int

    def __post_init__(self) -> None:
        Convergence.__post_init__(self)
        require_positive("epochs_per_interval", self.epochs_per_interval)
        require_count("min_points", self.min_points, minimum=2)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        if curve.last_epoch <= self.window * self.epochs_per_interval + SLACK:
            return go(forecasts[-1])
        return Convergence.decide(self, curve, forecasts, population)

    def _window(self, curve: Curve, forecasts: Forecasts) -> list[float]:
        values: list[float] = []
        accuracies = curve.val_accuracy
        for index in range(len(curve) - 1, -1, -1):
            failed = forecasts[index] is None and index + 1 >= self.min_points
            if failed or len(values) == self.window:
                break
            values.append(float(accuracies[index]))
        return values
