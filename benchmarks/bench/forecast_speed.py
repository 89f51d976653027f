"""How fast forecasts are: SciPy's curve_fit, our own solver, and the bank of families, in one run on one core.

    cd benchmarks && python -m bench.forecast_speed            # prints a table

Times on shared machines are noisy; what counts is the ratios to curve_fit in the same run, and the CPU time,
which neighbours lengthen less than the clock's.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.values import Number, Value
from estimator import Curve, preset
from estimator.forecasters import FamilyBank, Forecaster
from estimator.forecasters.separable import fit_prefixes

Array = NDArray[np.float64]

BATCH_CURVES, BATCH_POINTS = 1000, 50
ASYMPTOTES = (0.5, 102.5)
MIN_POINTS = 3
CURVES = Path("curves") / "lemur_dev.npz"


class Timing(Value):
    """Durations of one forecast, milliseconds: by the clock, and CPU time; `ratio` is curve_fit's median CPU
    time over this one's.
    """

    name: str
    count: int
    median_ms: Number
    p99_ms: Number
    cpu_median_ms: Number
    cpu_p99_ms: Number
    num_without_forecast: int
    ratio: Number


class BatchSpeed(Value):
    """Every prefix of many curves at once: the fastest of the repeats."""

    num_curves: int
    num_points: int
    num_fits: int
    num_failures: int
    fits_per_s: Number
    fits_per_cpu_s: Number
    ratio: Number  # of the CPU time per fit to curve_fit's median


class ForecastSpeed(Value):
    """All of one run: single forecasts, curve_fit first, and the batch."""

    forecasts: tuple[Timing, ...]
    batch: BatchSpeed


def find_curves(root: Path, *, configured: str | None) -> Path | None:
    """The recorded LEMUR curves: under `configured` (HPC_NAS_TEST_DATA), else beside the checkout."""
    data = Path(configured) if configured else root.parent / "shared" / "data"
    path = (data / CURVES).resolve()
    return path if path.is_file() else None


def measure_forecast_speed(path: Path, *, num_curves: int, repeats: int) -> ForecastSpeed:
    """Forecast every prefix of `num_curves` recorded curves, one after the other, and 1,000 curves at once.

    `path` holds `val_acc` in percent [n, T] and `epochs` [T]; n curves fewer than 1,000 are used again.
    """
    with np.load(path) as file:
        epochs, accuracies = file["epochs"].astype(np.float64), file["val_acc"].astype(np.float64)
    accuracies = accuracies[np.isfinite(accuracies).all(axis=1)]
    random = np.random.default_rng(0)
    chosen = accuracies[random.permutation(len(accuracies))[:num_curves]]
    with threadpool_limits(1):
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


def table(speed: ForecastSpeed) -> str:
    """The result in Markdown."""
    lines = [
        "| one forecast | count | median ms | p99 ms | CPU median ms | CPU p99 ms | none | faster by |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(timing) for timing in speed.forecasts),
        "",
        f"Every prefix of {speed.batch.num_curves} curves of {speed.batch.num_points} points at once: "
        f"{speed.batch.num_fits} fits, {speed.batch.num_failures} failures, "
        f"{speed.batch.fits_per_s:,.0f} fits/s ({speed.batch.fits_per_cpu_s:,.0f} per CPU second), "
        f"{speed.batch.ratio:,.0f} times curve_fit.",
    ]
    return "\n".join(lines)


def _row(timing: Timing) -> str:
    durations = (timing.median_ms, timing.p99_ms, timing.cpu_median_ms, timing.cpu_p99_ms)
    cells: Sequence[str] = [f"{duration:.2f}" for duration in durations]
    return (
        f"| {timing.name} | {timing.count} | {' | '.join(cells)} | "
        f"{timing.num_without_forecast} | {timing.ratio:.1f} |"
    )


def main() -> int:
    """Measure and print; 1 where the recorded curves are absent."""
    path = find_curves(Path(__file__).resolve().parents[2], configured=os.environ.get("HPC_NAS_TEST_DATA"))
    if path is None:
        print(f"no {CURVES} in the recorded data; set HPC_NAS_TEST_DATA", file=sys.stderr)
        return 1
    print(table(measure_forecast_speed(path, num_curves=8, repeats=5)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
