"""Rule: the stability test of PENGUIN, the code that PEng4NN's authors released in 2022."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from estimator.curve import Curve
from estimator.rules.base import Forecasts
from estimator.rules.convergence import Convergence

__all__ = ["PenguinConvergence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PenguinConvergence(Convergence):
    """As `Convergence`, but around the median; a failed fit keeps the window, and a fit whose asymptote is
    `highest_asymptote` or more clears it. The latest forecast must be above 0 and at most 100.
    """

    highest_asymptote: float

    def _window(self, curve: Curve, forecasts: Forecasts) -> list[float]:
        values: list[float] = []
        for forecast in reversed(forecasts):
            if len(values) == self.window:
                break
            if forecast is None:
                continue
            if forecast.a >= self.highest_asymptote:
                break
            values.append(forecast.value)
        return values

    def _centre(self, values: list[float]) -> float:
        return median(values)

    def _valid(self, forecasts: Forecasts) -> bool:
        latest = forecasts[-1]
        return latest is not None and 0.0 < latest.value <= 100.0
