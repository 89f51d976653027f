"""Forecaster: the remaining gain (docs/science.md, "Learning from finished curves")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from estimator.checks import require_count, require_positive
from estimator.curve import Array, Curve
from estimator.forecasters.base import BestSoFar, Forecaster
from estimator.forecasters.learned.curve_matrix import (
    CurveMatrix,
    accuracy_of,
    curve_features,
    signal_features,
)
from estimator.forecasters.learned.finished_curves import FinishedCurves, finished_curves
from estimator.forecasters.learned.ridge import Ridge
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["RemainingGain", "forecast_of_gain"]

NO_SIGNAL = -1

KNOWN_SHARE = 0.8
"""A training signal is used if the candidate and this share of the finished curves have it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingGain(Forecaster):
    """Ridge regression of the gain that remains over the best so far, on the curve so far.

    Gains are differences of -log(101 - accuracy). Fitted at the candidate's own epoch, with the finished
    curves as they were at that epoch (their latest observation at or before it); so it takes any spacing of
    observations, and knows how late learners looked. The training accuracy, or else the training loss, adds
    two features to seven. `value` is the median, never below the best so far; the 90 % interval is Student's
    t around leave-one-out residuals. `penalty` is the ridge's, on standardised features. With fewer than
    `min_finished` curves to learn from, `fallback` forecasts.
    """

    alone: ClassVar[bool] = False
    min_finished: int = 12
    penalty: float = 10.0
    fallback: Forecaster = field(default_factory=BestSoFar)

    def __post_init__(self) -> None:
        require_count("min_finished", self.min_finished, minimum=4)
        require_positive("penalty", self.penalty)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        finished = finished_curves(population)
        if len(finished) < self.min_finished:
            return self.fallback.forecast(curve, population)
        epoch, matrix = curve.last_epoch, CurveMatrix.of([curve])
        features, best = curve_features(matrix, epoch)
        for kind, signal in enumerate(matrix.signals):
            if signal is None:
                continue
            more = signal_features(matrix, signal, epoch)
            model = self._model(finished, epoch, kind) if np.isfinite(more).all() else None
            if model is not None:
                return _forecast(model, np.append(features[0], more[0]), curve, float(best[0]))
        model = self._model(finished, epoch, NO_SIGNAL)
        if model is None:
            return self.fallback.forecast(curve, population)
        return _forecast(model, features[0], curve, float(best[0]))

    def _model(self, finished: FinishedCurves, epoch: float, kind: int) -> Ridge | None:
        key = ("remaining gain", self.min_finished, self.penalty, epoch, kind)
        return finished.model(key, lambda: self._fit(finished.matrix, epoch, kind))

    def _fit(self, curves: CurveMatrix, epoch: float, kind: int) -> Ridge | None:
        """The regression at one epoch; None where too few curves say anything there."""
        usable = curves.num_observed(epoch) > 0
        num_observed = int(usable.sum())
        features, best = curve_features(curves, epoch)
        if kind != NO_SIGNAL:
            signal = curves.signals[kind]
            if signal is None:
                return None
            more = signal_features(curves, signal, epoch)
            features = np.column_stack((features, more))
            usable &= np.isfinite(more).all(axis=1)
        needed = (
            self.min_finished if kind == NO_SIGNAL else max(self.min_finished, KNOWN_SHARE * num_observed)
        )
        if usable.sum() < needed:
            return None
        gain = curves.final - best
        return Ridge.fit(features[usable], gain[usable], penalty=self.penalty, start=best[usable])


def forecast_of_gain(
    curve: Curve, best: float, gain: float, *, deviation: float, margin_90: float
) -> Forecast:
    """The forecast of a gain over the `best` score so far, with its standard deviation, both on that scale.

    `margin_90` is half the width of a 90 % interval in such deviations. Accuracies are kept between the best
    so far and 100, and only the spread knows that the gain's distribution begins below zero.
    """
    middle, margin = best + gain, margin_90 * deviation
    scores = np.array([middle, middle - margin, middle + margin, middle - deviation, middle + deviation])
    value, low, high, below, above = np.clip(accuracy_of(np.clip(scores, -5.0, 0.0)), 0.0, 100.0).tolist()
    value, low = max(value, curve.best_accuracy), max(low, curve.best_accuracy)
    return Forecast(
        value=value,
        spread=(above - below) / 2.0,
        at_max_epochs=value,
        num_points=len(curve),
        low=low,
        high=max(high, value),
    )


def _forecast(model: Ridge, features: Array, curve: Curve, best: float) -> Forecast:
    gain, deviation = model.forecast(features, start=best)
    return forecast_of_gain(curve, best, gain, deviation=deviation, margin_90=model.margin_90)
