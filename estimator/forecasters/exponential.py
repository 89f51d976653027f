"""Forecaster: the curve `a - b**(c - x)`, fitted by SciPy's `curve_fit`.

From PEng4NN, section III-B and Algorithm 1. SciPy itself is the reference here: a better solver finds other
optima on many curves, and so decides differently. Hence its own defaults for all that the authors left open.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from estimator.checks import require_count, require_positive
from estimator.curve import Array, Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["Exponential", "Target"]

LOWEST = (0.5, 1.0, 0.0)
"""Lower bounds of a, b and c (section III-B2). b and c have no upper bound."""


class Target(StrEnum):
    """What is forecast from the fitted curve."""

    ASYMPTOTE = "asymptote"  # a, as the paper does
    MAX_EPOCHS = "max_epochs"  # the curve at the full budget, as the released codes do


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponential(Forecaster):
    """The fitted curve's forecast, with a spread from the covariance of its parameters (delta method).

    x is `epoch / epochs_per_interval`, shifted so that the first interval's end is at `first_x`; observations
    may be missing in between. Where fitting needs more evaluations than SciPy allows (2-7 % of fits), or the
    curve is not finite at the full budget, there is no forecast. The spread is NaN where SciPy knows no
    covariance, as with 3 points or fewer.
    """

    max_epochs: float
    epochs_per_interval: float
    min_points: int
    highest_asymptote: float
    start: tuple[float, float, float]
    first_x: float
    target: Target

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_positive("epochs_per_interval", self.epochs_per_interval)
        require_count("min_points", self.min_points, minimum=2)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if len(curve) < self.min_points:
            return None
        fit = self._fit(curve)
        if fit is None:
            return None
        parameters, covariance = fit
        end = self.max_epochs / self.epochs_per_interval
        with np.errstate(all="ignore"):
            at_end = float(_model(np.array([end]), *parameters)[0])
            gradient = _gradient(end, parameters) if self.target is Target.MAX_EPOCHS else np.eye(3)[0]
            spread = _spread(gradient, covariance)
        if not math.isfinite(at_end):
            return None
        a, b, c = (float(p) for p in parameters)
        value = a if self.target is Target.ASYMPTOTE else at_end
        return Forecast(
            value=value, spread=spread, at_max_epochs=at_end, num_points=len(curve), a=a, b=b, c=c
        )

    def _fit(self, curve: Curve) -> tuple[Array, Array] | None:
        x = curve.epochs / self.epochs_per_interval + (self.first_x - 1.0)
        bounds = (LOWEST, (self.highest_asymptote, math.inf, math.inf))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", OptimizeWarning)  # no covariance: the spread is NaN then
            try:
                parameters, covariance = curve_fit(
                    _model, x, curve.val_accuracy, p0=self.start, bounds=bounds
                )
            except (RuntimeError, ValueError, np.linalg.LinAlgError):
                # too many evaluations; residuals that are not finite; a decomposition that fails
                return None
        return parameters, covariance


def _model(x: Array, a: float, b: float, c: float) -> Array:
    return a - b ** (c - x)


def _gradient(x: float, parameters: Array) -> Array:
    """Derivatives of the curve at `x` by a, b and c, [3]."""
    _, b, c = parameters
    power = b ** (c - x)
    return np.array([1.0, -(c - x) * power / b, -np.log(b) * power])


def _spread(gradient: Array, covariance: Array) -> float:
    """Standard deviation of a function of the parameters; NaN where the covariance is not known."""
    if not np.isfinite(covariance).all():
        return math.nan
    variance = float(gradient @ covariance @ gradient)
    return math.sqrt(variance) if 0.0 <= variance < math.inf else math.nan
