"""Rules: stop when the forecasts have become stable (PEng4NN, section III-C), in its four versions.

`Convergence` follows the text of the paper. The other versions override what must be stable, around what, and which
forecasts are valid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean, median

from estimator.checks import (
    require_at_least,
    require_count,
    require_flag,
    require_percent_or_nan,
    require_positive,
)
from estimator.curve import SLACK, Curve, epochs_since_minimum
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.values import Decision, Forecast, Numbers, Reason

__all__ = ["A4nnConvergence", "Convergence", "ListingConvergence", "NeverLearn", "PenguinConvergence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverLearn:
    """No better than guessing the largest class, give or take `margin` points (PEng4NN, section III-C1).

    `chance_accuracy` is that class's share of the validation set, percent; NaN where unknown: then no
    forecast is a never-learn forecast. The curve at the full budget is judged, not its asymptote, which on a
    flat curve lies one point too high (docs/decisions/0002).
    """

    chance_accuracy: float = math.nan
    margin: float = 1.0

    def __post_init__(self) -> None:
        require_percent_or_nan("chance_accuracy", self.chance_accuracy)
        require_at_least("never_learn_margin", self.margin, minimum=0.0)

    def applies_to(self, forecast: Forecast) -> bool:
        """Whether this is a never-learn forecast."""
        return forecast.at_max_epochs <= self.chance_accuracy + self.margin


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
        return _forecasts_in_a_row(forecasts, limit=self.window)

    def _centre(self, values: list[float]) -> float:
        """What the values must be near to."""
        return fmean(values)

    def _valid(self, forecasts: Forecasts) -> bool:
        """Whether the latest forecast can be true; above 100 the fit has only seen the steepest part."""
        latest = forecasts[-1]
        return latest is not None and latest.value <= 100.0


def _forecasts_in_a_row(forecasts: Forecasts, *, limit: int) -> list[float]:
    """The latest forecasts, latest first, back to the last observation that had none, and at most `limit`."""
    values: list[float] = []
    for forecast in reversed(forecasts):
        if forecast is None or len(values) == limit:
            break
        values.append(forecast.value)
    return values


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


@dataclass(frozen=True, kw_only=True, slots=True)
class A4nnConvergence(Convergence):
    """As `Convergence`, but around the median, and each forecast of the window must be in 0..100.

    Its code counts three forecasts that are not a number as converged; here they are none, and never are.
    """

    def _centre(self, values: list[float]) -> float:
        return median(values)

    def _valid(self, forecasts: Forecasts) -> bool:
        values = _forecasts_in_a_row(forecasts, limit=self.window)
        return all(0.0 <= value <= 100.0 for value in values)
