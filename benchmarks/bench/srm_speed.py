"""How long it takes to fit one regression of Baker's SRM again while a decision waits: 1,000 finished curves."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.curve import Curve
from estimator.forecasters.learned import Hyperparameters, Regression
from estimator.forecasters.learned.regression_data import regression_data
from estimator.forecasters.learned.sequential_regression import NUM_FOLDS, fit_length

NUM_EPOCHS = 50
HIGHEST_ACCURACY = 95.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SrmSpeed:
    """Seconds of one refit with its spread by folds, by regression; the median and the largest of `repeats`."""

    num_curves: int
    length: int
    num_folds: int
    repeats: int
    median_s: tuple[tuple[str, float], ...]
    largest_s: tuple[tuple[str, float], ...]


def measure_srm_speed(*, num_curves: int = 1000, length: int = 25, repeats: int = 5) -> SrmSpeed:
    """Of the model of `length` observations with default hyperparameters, features included.

    Curves are drawn: what a fit takes depends on their number and length, hardly on what they look like.
    """
    curves = _drawn_curves(num_curves, np.random.default_rng(0))
    epochs = curves[0].epochs[:length]
    fit_length(
        regression_data(curves[:50], epochs), regression=Regression.OLS, hyperparameters=Hyperparameters()
    )
    times = {
        regression: [_refit_s(curves, epochs, regression) for _ in range(repeats)]
        for regression in Regression
    }
    return SrmSpeed(
        num_curves=num_curves,
        length=length,
        num_folds=NUM_FOLDS,
        repeats=repeats,
        median_s=tuple((name.value, float(np.median(seconds))) for name, seconds in times.items()),
        largest_s=tuple((name.value, max(seconds)) for name, seconds in times.items()),
    )


def _refit_s(curves: list[Curve], epochs: NDArray[np.float64], regression: Regression) -> float:
    started = time.perf_counter()
    fit_length(regression_data(curves, epochs), regression=regression, hyperparameters=Hyperparameters())
    return time.perf_counter() - started


def _drawn_curves(count: int, draw: np.random.Generator) -> list[Curve]:
    """Saturating curves with noise, accuracies in percent."""
    epochs = np.arange(1.0, NUM_EPOCHS + 1.0)
    curves = []
    for _ in range(count):
        clean = draw.uniform(20.0, HIGHEST_ACCURACY) * (1.0 - np.exp(-draw.uniform(0.02, 0.5) * epochs))
        curve = Curve()
        for epoch, accuracy in zip(epochs, clean + draw.normal(0.0, 1.0, NUM_EPOCHS), strict=True):
            curve.append(epoch, val_accuracy=float(np.clip(accuracy, 0.0, 100.0)))
        curves.append(curve)
    return curves
