"""Times of forecasts and of refits, all in one run on one core, as ratios to SciPy's curve_fit.

Forecasts by SciPy's curve_fit, our own solver, and the bank of families; refits of Baker's SRM, which happen while a
decision waits. Times on shared machines are noisy; what counts is the ratios to curve_fit in the same run, and the CPU
time, which neighbours lengthen less than the clock's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.bench.environment import describe_environment, measured
from benchmarks.estimator_bench.values import BatchSpeed, ForecastSpeed, RefitSpeed, Speed, Timing
from estimator import Curve, preset
from estimator.forecasters import FamilyBank, Forecaster
from estimator.forecasters.learned import Hyperparameters, Regression
from estimator.forecasters.learned.regression_data import regression_data
from estimator.forecasters.learned.sequential_regression import fit_length
from estimator.forecasters.separable import fit_prefixes

__all__ = ["FULL", "QUICK", "measure_speed"]

Array = NDArray[np.float64]

FULL: Mapping[str, int] = {"num_curves": 8, "repeats": 5, "num_refit_curves": 1000, "length": 25}
QUICK: Mapping[str, int] = {"num_curves": 1, "repeats": 1, "num_refit_curves": 60, "length": 10}
BATCH_CURVES, BATCH_POINTS = 1000, 50
ASYMPTOTES = (0.5, 102.5)
MIN_POINTS = 3
REFIT_EPOCHS, HIGHEST_ACCURACY = 50, 95.0


def measure_speed(path: Path, configuration: Mapping[str, int], *, key: str) -> Speed:
    """On the recorded curves of `path`; with one thread, and nothing of ours beside it."""
    repeats = configuration["repeats"]

    def times() -> tuple[ForecastSpeed, tuple[RefitSpeed, ...]]:
        refits = {"num_curves": configuration["num_refit_curves"], "length": configuration["length"]}
        with threadpool_limits(limits=1):
            forecasts = _forecast_speed(path, num_curves=configuration["num_curves"], repeats=repeats)
            return forecasts, tuple(_refits(**refits, repeats=repeats))

    conditions, (forecasts, refits) = measured(
        "speed", times, key=key, environment=describe_environment(), configuration=dict(configuration)
    )
    return Speed(conditions=conditions, forecasts=forecasts, refits=refits)


def _forecast_speed(path: Path, *, num_curves: int, repeats: int) -> ForecastSpeed:
    """Forecast every prefix of `num_curves` recorded curves, one after the other, and 1,000 curves at once.

    `path` holds `val_acc` in percent [n, T] and `epochs` [T]; n curves fewer than 1,000 are used again.
    """
    with np.load(path) as file:
        epochs, accuracies = file["epochs"].astype(np.float64), file["val_acc"].astype(np.float64)
    accuracies = accuracies[np.isfinite(accuracies).all(axis=1)]
    random = np.random.default_rng(0)
    chosen = accuracies[random.permutation(len(accuracies))[:num_curves]]
    timings = _forecasts(epochs, chosen)
    batch = _batch(
        np.resize(accuracies, (BATCH_CURVES, accuracies.shape[1]))[:, :BATCH_POINTS],
        repeats=repeats,
        reference_ms=timings[0].cpu_median_ms,
    )
    return ForecastSpeed(forecasts=timings, batch=batch)


def _forecasts(epochs: Array, curves: Array) -> tuple[Timing, ...]:
    budget, interval = float(epochs[-1]), float(epochs[0])
    forecasters: dict[str, Forecaster] = {
        name: preset(name, max_epochs=budget, epochs_per_interval=interval).forecaster
        for name in ("peng4nn", "peng4nn-fast")
    }
    forecasters["bank"] = FamilyBank(max_epochs=budget)
    labels = ("curve_fit", "separable exponential, with spread", "bank of families")
    timings: list[Timing] = []
    for label, forecaster in zip(labels, forecasters.values(), strict=True):
        timings.append(_timing(label, forecaster, epochs, curves, reference=timings[0] if timings else None))
    return tuple(timings)


def _timing(
    name: str, forecaster: Forecaster, epochs: Array, curves: Array, *, reference: Timing | None
) -> Timing:
    clock, cpu, missing = [], [], 0
    for row in curves:
        curve = Curve()
        for epoch, accuracy in zip(epochs, row, strict=True):
            curve.append(float(epoch), val_accuracy=float(accuracy))
            if len(curve) < MIN_POINTS:
                continue
            started, cpu_started = time.perf_counter(), time.process_time()
            forecast = forecaster.forecast(curve)
            cpu.append(time.process_time() - cpu_started)
            clock.append(time.perf_counter() - started)
            missing += forecast is None
    median_ms, p99_ms = (1e3 * float(value) for value in np.percentile(clock, [50, 99]))
    cpu_median_ms, cpu_p99_ms = (1e3 * float(value) for value in np.percentile(cpu, [50, 99]))
    return Timing(
        name=name,
        count=len(clock),
        median_ms=median_ms,
        p99_ms=p99_ms,
        cpu_median_ms=cpu_median_ms,
        cpu_p99_ms=cpu_p99_ms,
        num_without_forecast=missing,
        ratio=reference.cpu_median_ms / cpu_median_ms if reference else 1.0,
    )


def _batch(accuracies: Array, *, repeats: int, reference_ms: float) -> BatchSpeed:
    num_curves, num_points = accuracies.shape
    x = np.arange(1.0, num_points + 1.0)
    clock, cpu = [], []
    for _ in range(repeats):
        started, cpu_started = time.perf_counter(), time.process_time()
        fits = fit_prefixes(x, accuracies, asymptotes=ASYMPTOTES, min_points=MIN_POINTS)
        cpu.append(time.process_time() - cpu_started)
        clock.append(time.perf_counter() - started)
    num_fits = num_curves * (num_points - MIN_POINTS + 1)
    found = int(np.isfinite(fits.sum_of_squares[:, MIN_POINTS - 1 :]).sum())
    return BatchSpeed(
        num_curves=num_curves,
        num_points=num_points,
        num_fits=num_fits,
        num_failures=num_fits - found,
        fits_per_s=num_fits / min(clock),
        fits_per_cpu_s=num_fits / min(cpu),
        ratio=reference_ms * 1e-3 * num_fits / min(cpu),
    )


def _refits(*, num_curves: int, length: int, repeats: int) -> Iterator[RefitSpeed]:
    """Of the model of `length` observations with default hyperparameters, features included.

    Curves are drawn: what a fit takes depends on their number and length, hardly on what they look like.
    """
    curves = _drawn_curves(num_curves, np.random.default_rng(0))
    epochs = curves[0].epochs[:length]
    _refit_s(curves[:50], epochs, Regression.OLS)  # what the first one loads is not counted
    for regression in Regression:
        seconds = [_refit_s(curves, epochs, regression) for _ in range(repeats)]
        yield RefitSpeed(
            regression=regression.value,
            num_curves=num_curves,
            length=length,
            repeats=repeats,
            median_s=float(np.median(seconds)),
            largest_s=max(seconds),
        )


def _refit_s(curves: list[Curve], epochs: Array, regression: Regression) -> float:
    started = time.perf_counter()
    fit_length(regression_data(curves, epochs), regression=regression, hyperparameters=Hyperparameters())
    return time.perf_counter() - started


def _drawn_curves(count: int, draw: np.random.Generator) -> list[Curve]:
    """Saturating curves with noise, accuracies in percent."""
    epochs = np.arange(1.0, REFIT_EPOCHS + 1.0)
    curves = []
    for _ in range(count):
        clean = draw.uniform(20.0, HIGHEST_ACCURACY) * (1.0 - np.exp(-draw.uniform(0.02, 0.5) * epochs))
        curve = Curve()
        for epoch, accuracy in zip(epochs, clean + draw.normal(0.0, 1.0, REFIT_EPOCHS), strict=True):
            curve.append(epoch, val_accuracy=float(np.clip(accuracy, 0.0, 100.0)))
        curves.append(curve)
    return curves
