"""Our own solver of PEng4NN's exponential: against SciPy's, on recorded and on invented curves."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from estimator import Curve, Engine, Reason, preset
from estimator.forecasters import Exponential, SeparableExponential, Target
from estimator.forecasters.separable import fit_curves, fit_prefixes

Array = np.ndarray
BOX = (0.5, 102.5)
START = (10.0, 1.001, 100.0)
FILES = ("lemur_dev.npz", "a4nn_1e14.npz", "random_cnn_digits.npz", "random_cnn_cifar.npz")


def model(x: Array, a: float, b: float, c: float) -> Array:
    return a - b ** (c - x)


def curve_of(accuracies: Array, *, interval: float = 0.5) -> Curve:
    curve = Curve()
    for index, accuracy in enumerate(accuracies, start=1):
        curve.append(index * interval, val_accuracy=float(accuracy))
    return curve


def scipy_squares(x: Array, accuracies: Array) -> float:
    """SciPy's sum of squares; infinite where it finds no fit."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            parameters, _ = curve_fit(
                model, x, accuracies, p0=START, bounds=((0.5, 1, 0), (102.5, np.inf, np.inf))
            )
        except RuntimeError:
            return math.inf
    return float(((model(x, *parameters) - accuracies) ** 2).sum())


def sampled_prefixes(directory: Path, *, per_file: int) -> Iterator[Array]:
    random = np.random.default_rng(11)
    for name in FILES:
        with np.load(directory / "curves" / name) as file:
            curves = file["val_acc"].astype(np.float64)
        for row in random.choice(curves, per_file):
            known = row[np.isfinite(row)]
            yield known[: random.integers(3, max(len(known), 3) + 1)]


def test_never_worse_than_scipy_on_recorded_curves(test_data: Path) -> None:
    for accuracies in sampled_prefixes(test_data, per_file=15):
        x = np.arange(1.0, len(accuracies) + 1.0)
        ours = fit_curves(x, accuracies[None], asymptotes=BOX).sum_of_squares[0]
        assert ours <= scipy_squares(x, accuracies) * (1.0 + 1e-6) + 1e-7, accuracies.tolist()


steps = st.sampled_from([0.01, 0.3, 1.0, 1.0, 2.5, 40.0])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(points=st.lists(st.tuples(steps, st.floats(0.0, 100.0)), min_size=3, max_size=12))
def test_never_worse_than_scipy_at_uneven_epochs(points: list[tuple[float, float]]) -> None:
    x = np.cumsum([step for step, _ in points])
    accuracies = np.array([accuracy for _, accuracy in points])
    fit = fit_curves(x, accuracies[None], asymptotes=BOX)
    assert fit.sum_of_squares[0] <= scipy_squares(x, accuracies) * (1.0 + 1e-6) + 1e-7
    assert BOX[0] <= fit.asymptote[0] <= BOX[1]
    assert fit.rate[0] >= 0.0
    assert fit.amplitude[0] >= math.exp(-fit.rate[0] * x[0]) * (1.0 - 1e-12)
    error = accuracies - [float(fit.at(at)[0]) for at in x]
    assert error @ error == pytest.approx(fit.sum_of_squares[0], rel=1e-6, abs=1e-9)


def test_parameters_of_an_exact_curve_are_found() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0, 16.0])
    fit = fit_curves(x, model(x, 80.0, 1.3, 14.0)[None], asymptotes=BOX)
    assert (fit.asymptote[0], fit.b[0], fit.c[0]) == pytest.approx((80.0, 1.3, 14.0), rel=1e-6)


def test_every_prefix_is_fitted_as_if_alone(test_data: Path) -> None:
    with np.load(test_data / "curves" / "random_cnn_cifar.npz") as file:
        curves = file["val_acc"][:6].astype(np.float64)
    x = np.arange(1.0, 41.0)
    every = fit_prefixes(x, curves, asymptotes=BOX)
    assert np.isnan(every.sum_of_squares[:, :2]).all()
    assert np.isfinite(every.sum_of_squares[:, 2:]).all()
    for points in (3, 7, 20, 40):
        alone = fit_curves(x[:points], curves[:, :points], asymptotes=BOX)
        assert every.sum_of_squares[:, points - 1] == pytest.approx(alone.sum_of_squares, rel=1e-7, abs=1e-7)


def test_a_row_with_unknown_accuracies_has_no_fit_from_there() -> None:
    accuracies = np.array([[10.0, 30.0, 40.0, np.nan, np.nan], [10.0, 20.0, 25.0, 30.0, 31.0]])
    fits = fit_prefixes(np.arange(1.0, 6.0), accuracies, asymptotes=BOX)
    known = [[False, False, True, False, False], [False, False, True, True, True]]
    assert np.isfinite(fits.asymptote).tolist() == known
    assert np.isfinite(fits.c).tolist() == known


@pytest.mark.parametrize("points", [2, 1])
def test_too_few_points_have_no_forecast(points: int) -> None:
    forecaster = SeparableExponential(max_epochs=20, epochs_per_interval=0.5)
    assert forecaster.forecast(curve_of(np.arange(1.0, points + 1.0))) is None


@pytest.mark.parametrize("target", Target)
def test_the_forecast_is_scipys_where_scipy_finds_the_optimum(target: Target) -> None:
    x = np.arange(1.0, 13.0)
    accuracies = model(x, 80.0, 1.3, 14.0) + np.random.default_rng(7).normal(0.0, 0.4, x.size)
    ours = SeparableExponential(max_epochs=20, epochs_per_interval=0.5, target=target)
    scipys = Exponential(
        max_epochs=20,
        epochs_per_interval=0.5,
        min_points=3,
        highest_asymptote=102.5,
        start=START,
        first_x=1.0,
        target=target,
    )
    one, other = ours.forecast(curve_of(accuracies)), scipys.forecast(curve_of(accuracies))
    assert one is not None
    assert other is not None
    assert (one.value, one.at_max_epochs, one.a, one.b, one.c) == pytest.approx(
        (other.value, other.at_max_epochs, other.a, other.b, other.c), rel=1e-4
    )


@pytest.mark.parametrize(
    "accuracies",
    [[0.0] * 5, [100.0] * 5, [10.0] * 40, [90.0, 60.0, 30.0, 0.0], [0.0, 100.0, 0.0], [1.0, 2.0, 4.0, 8.0]],
    ids=["nought", "hundred", "flat", "falls", "peak", "accelerates"],
)
def test_odd_curves_have_a_finite_forecast_and_spread(accuracies: list[float]) -> None:
    forecast = SeparableExponential(max_epochs=30, epochs_per_interval=0.5).forecast(
        curve_of(np.array(accuracies))
    )
    assert forecast is not None
    assert all(math.isfinite(value) for value in (forecast.value, forecast.spread, forecast.b, forecast.c))
    assert forecast.spread >= 0.0
    assert 0.0 <= forecast.low <= forecast.high <= 100.0


def test_the_asymptote_of_a_flat_curve_is_its_level() -> None:
    forecast = SeparableExponential(max_epochs=30, epochs_per_interval=0.5).forecast(
        curve_of(np.full(8, 42.0))
    )
    assert forecast is not None
    assert forecast.value == pytest.approx(42.0, abs=1e-6)


def test_a_very_long_curve_is_fitted() -> None:
    x = np.arange(1.0, 20_001.0)
    noise = np.random.default_rng(3).normal(0.0, 0.5, x.size)
    fit = fit_curves(x, (90.0 - 60.0 * np.exp(-x / 3_000.0) + noise)[None], asymptotes=BOX)
    assert fit.asymptote[0] == pytest.approx(90.0, abs=0.1)
    assert fit.rate[0] == pytest.approx(1.0 / 3_000.0, rel=0.01)


def test_peng4nn_fast_stops_a_stable_curve_as_converged_and_a_flat_one_as_never_learning() -> None:
    rising = model(np.arange(1.0, 30.0), 80.0, 1.9, 7.0)
    for accuracies, reason in ((rising, Reason.CONVERGED), (np.full(8, 10.0), Reason.NEVER_LEARN)):
        engine = Engine(preset("peng4nn-fast", max_epochs=20, chance_accuracy=10.0))
        for index, accuracy in enumerate(accuracies, start=1):
            if engine.observe(0.5 * index, val_accuracy=float(accuracy)).stop:
                break
        assert engine.decision is not None
        assert engine.decision.reason is reason
        assert engine.decision.estimate == pytest.approx(float(accuracies.max()), abs=1.0)
