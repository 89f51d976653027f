"""Rule: the stability test of A4NN's engine, the successor of PENGUIN."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from estimator.rules.base import Forecasts
from estimator.rules.convergence import Convergence, forecasts_in_a_row

__all__ = ["A4nnConvergence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class A4nnConvergence(Convergence):
    """As `Convergence`, but around the median, and each forecast of the window must be in 0..100.

    Its code counts three forecasts that are not a number as converged; here they are none, and never are.
    """

    def _centre(self, values: list[float]) -> float:
        return median(values)

    def _valid(self, forecasts: Forecasts) -> bool:
        values = forecasts_in_a_row(forecasts, limit=self.window)
        return all(0.0 <= value <= 100.0 for value in values)
