"""Forecaster: the curve `a - b**(c - x)`, fitted globally by the solver of this package.

The curve and bounds are PEng4NN's (arXiv 2101.04185, section III-B). Where SciPy's `curve_fit` stops at another
optimum or fails, the forecasts differ; `Exponential` is the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from estimator.checks import require_count, require_positive
from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.exponential import LOWEST, Target
from estimator.forecasters.separable.bank import final_accuracy
from estimator.forecasters.separable.least_squares import fit_curves
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["SeparableExponential"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeparableExponential(Forecaster):
    """The fitted curve's forecast; spread and interval by a posterior over exponentials.

    x is `epoch / epochs_per_interval`. The spread is that of the best accuracy at the full budget about the
    forecast, so it says how far off an asymptote may be that lies beyond the observations. The delta method of
    `Exponential` knows nothing where the curve is flat or has three points; this one always does.
    """

    max_epochs: float
    epochs_per_interval: float
    min_points: int = 3
    highest_asymptote: float = 102.5
    target: Target = Target.ASYMPTOTE

    def __post_init__(self) -> None:
        require_positive("max_epochs", self.max_epochs)
        require_positive("epochs_per_interval", self.epochs_per_interval)
        require_count("min_points", self.min_points, minimum=2)
        require_positive("highest_asymptote", self.highest_asymptote)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if len(curve) < self.min_points:
            return None
        with np.errstate(over="ignore"):
            x = curve.epochs / self.epochs_per_interval
        if not np.isfinite(x[-1]):
            return None
        fit = fit_curves(x, curve.val_accuracy[None, :], asymptotes=(LOWEST[0], self.highest_asymptote))
        asymptote = float(fit.asymptote[0])
        at_end = float(fit.at(self.max_epochs / self.epochs_per_interval)[0])
        if not (math.isfinite(asymptote) and math.isfinite(at_end)):
            return None
        value = asymptote if self.target is Target.ASYMPTOTE else at_end
        final = final_accuracy(("exp3",), curve.epochs, curve.val_accuracy, max_epochs=self.max_epochs)
        return Forecast(
            value=value,
            spread=math.hypot(final.spread, final.mean - value),
            at_max_epochs=at_end,
            num_points=len(curve),
            low=final.low,
            high=final.high,
            a=asymptote,
            b=float(fit.b[0]),
            c=float(fit.c[0]),
        )
