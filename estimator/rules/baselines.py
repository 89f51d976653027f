"""Rules: the baselines, which look at what was observed and need no forecast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import ClassVar

import numpy as np

from estimator.checks import require_at_least, require_count, require_positive
from estimator.curve import SLACK, Curve, epochs_since_minimum
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, stop
from estimator.rules.epoch_index import accuracies_at
from estimator.values import Decision, Reason

__all__ = ["Against", "IEpoch", "MedianStopping", "Menndl", "NeverStop", "Patience"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverStop(Rule):
    """Never stops: the ground truth that rules are judged by."""

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        return go(forecasts[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class IEpoch(Rule):
    """Stop, its budget spent, at the first observation after `epochs` epochs."""

    epochs: float = 1.0

    def __post_init__(self) -> None:
        require_positive("epochs", self.epochs)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        if forecast is None or curve.last_epoch < self.epochs - SLACK:
            return go(forecast)
        return stop(forecast, reason=Reason.BUDGET, numbers=(("epochs", self.epochs),))


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience(Rule):
    """Stop, as converged, when the best accuracy has risen by no more than `min_delta` points in
    `patience_epochs`.
    """

    patience_epochs: float = 5.0
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        require_positive("patience_epochs", self.patience_epochs)
        require_at_least("min_delta", self.min_delta, minimum=0.0)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, gain = forecasts[-1], self._gain(curve)
        numbers = (("gain", gain),)
        if forecast is None or not gain <= self.min_delta:
            return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.CONVERGED, numbers=numbers)

    def _gain(self, curve: Curve) -> float:
        """Points by which the best accuracy rose in the last `patience_epochs`; NaN on a shorter curve."""
        before = curve.last_epoch - self.patience_epochs + SLACK
        num_before = int(np.searchsorted(curve.epochs, before, side="right"))
        return curve.best_accuracy - float(curve.best_so_far[num_before - 1]) if num_before else math.nan


class Against(StrEnum):
    """Which accuracy of the others a candidate's best is compared with."""

    AVERAGE = "average"  # their mean accuracy so far, as Vizier does
    BEST = "best"  # their best accuracy so far


@dataclass(frozen=True, kw_only=True, slots=True)
class MedianStopping(Rule):
    """Stop a candidate whose best accuracy is strictly below the median of the others at the same epoch.

    All that have reached that epoch count, running or not (Vizier counts ended trials); with fewer than `min_curves`
    of them, or before `min_epochs`, none is stopped.
    """

    min_epochs: float = 1.0
    min_curves: int = 5
    against: Against = Against.AVERAGE
    alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_at_least("min_epochs", self.min_epochs, minimum=0.0)
        require_count("min_curves", self.min_curves, minimum=1)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast, epoch = forecasts[-1], curve.last_epoch
        if forecast is None or epoch < self.min_epochs - SLACK or len(population.history) < self.min_curves:
            return go(forecast)
        reached = accuracies_at(epoch, population.history)
        reached.pop(population.candidate, None)
        if len(reached) < self.min_curves:
            return go(forecast)
        middle = median(getattr(accuracies, self.against) for accuracies in reached.values())
        numbers = (("median", middle), ("num_curves", float(len(reached))))
        if curve.best_accuracy >= middle:
            return go(forecast, numbers=numbers)
        return stop(forecast, reason=Reason.UNLIKELY_BEST, numbers=numbers)
