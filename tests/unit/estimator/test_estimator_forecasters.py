"""Forecasters against known answers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import OptimizeWarning, curve_fit

from estimator import Curve, Forecast
from estimator.forecasters import BestSoFar, Exponential, LastValue, Target, exponential


def curve_of(accuracies: Sequence[float], *, interval: float = 0.5) -> Curve:
    curve = Curve()
    for index, accuracy in enumerate(accuracies, start=1):
        curve.append(index * interval, val_accuracy=accuracy)
    return curve


def exponential_forecaster(target: Target, *, min_points: int = 3, first_x: float = 1.0) -> Exponential:
    return Exponential(
        max_epochs=20.0,
        epochs_per_interval=0.5,
        min_points=min_points,
        highest_asymptote=102.5,
        start=(10.0, 1.001, 100.0),
        first_x=first_x,
        target=target,
    )


def model(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a - b ** (c - x)


X = np.arange(1.0, 13.0)
NOISY = model(X, 80.0, 1.3, 14.0) + np.random.default_rng(7).normal(0.0, 0.4, X.size)


def test_an_exact_curve_gives_its_own_parameters() -> None:
    curve = curve_of(model(X, 80.0, 1.3, 14.0).tolist())
    forecast = exponential_forecaster(Target.ASYMPTOTE).forecast(curve)
    assert forecast is not None
    assert (forecast.a, forecast.b, forecast.c) == pytest.approx((80.0, 1.3, 14.0), rel=1e-3)
    assert forecast.value == forecast.a
    assert forecast.at_max_epochs == pytest.approx(80.0 - 1.3 ** (14.0 - 40.0), rel=1e-3)
    assert forecast.num_points == 12


@pytest.mark.parametrize("target", Target)
def test_the_spread_follows_from_the_covariance(target: Target) -> None:
    forecast = exponential_forecaster(target).forecast(curve_of(NOISY.tolist()))
    parameters, covariance = curve_fit(
        model, X, NOISY, p0=(10, 1.001, 100), bounds=((0.5, 1, 0), (102.5, np.inf, np.inf))
    )

    def value(at: np.ndarray) -> float:
        return float(at[0]) if target is Target.ASYMPTOTE else float(model(np.array([40.0]), *at)[0])

    steps = 1e-6 * parameters
    gradient = [(value(parameters + s) - value(parameters - s)) / (2 * s.sum()) for s in np.diag(steps)]
    expected = math.sqrt(np.array(gradient) @ covariance @ np.array(gradient))
    assert forecast is not None
    assert forecast.value == pytest.approx(value(parameters), rel=1e-9)
    assert forecast.spread == pytest.approx(expected, rel=1e-4)


def test_observations_may_be_missing_in_between() -> None:
    curve = Curve()
    for x in (1, 2, 4, 8, 9, 16):
        curve.append(x * 0.5, val_accuracy=80.0 - 1.3 ** (14.0 - x))
    forecast = exponential_forecaster(Target.ASYMPTOTE).forecast(curve)
    assert forecast is not None
    assert forecast.value == pytest.approx(80.0, rel=1e-3)


def test_the_origin_of_x_moves_c_and_not_the_curve() -> None:
    curve = curve_of(NOISY.tolist())
    one = exponential_forecaster(Target.ASYMPTOTE).forecast(curve)
    zero = exponential_forecaster(Target.ASYMPTOTE, first_x=0.0).forecast(curve)
    assert one is not None
    assert zero is not None
    assert (zero.a, zero.b, zero.c) == pytest.approx((one.a, one.b, one.c - 1.0), rel=1e-3)


def test_too_short_a_curve_has_no_forecast() -> None:
    forecaster = exponential_forecaster(Target.ASYMPTOTE)
    assert forecaster.forecast(Curve()) is None
    assert forecaster.forecast(curve_of([10.0, 20.0])) is None


def test_the_spread_of_two_points_is_not_known() -> None:
    forecast = exponential_forecaster(Target.MAX_EPOCHS, min_points=2).forecast(curve_of([10.0, 20.0]))
    assert forecast is not None
    assert math.isfinite(forecast.value)
    assert math.isnan(forecast.spread)


@pytest.mark.parametrize(
    "error", [RuntimeError("evaluations"), ValueError("residuals"), np.linalg.LinAlgError("SVD")]
)
def test_a_failed_fit_is_no_forecast(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(exponential, "curve_fit", fails)
    assert exponential_forecaster(Target.ASYMPTOTE).forecast(curve_of(NOISY.tolist())) is None


def test_a_curve_without_end_is_no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = (np.array([90.0, 1e300, 1e300]), np.eye(3))
    monkeypatch.setattr(exponential, "curve_fit", lambda *args, **kwargs: fit)
    assert exponential_forecaster(Target.ASYMPTOTE).forecast(curve_of(NOISY.tolist())) is None


def test_other_warnings_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def warns(*args: object, **kwargs: object) -> tuple[np.ndarray, np.ndarray]:
        warnings.warn("no covariance", OptimizeWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
        return np.array([80.0, 1.3, 14.0]), np.full((3, 3), np.inf)

    monkeypatch.setattr(exponential, "curve_fit", warns)
    with pytest.warns(UserWarning, match="something else"):
        exponential_forecaster(Target.ASYMPTOTE).forecast(curve_of(NOISY.tolist()))


def test_best_so_far_and_last_value() -> None:
    curve = curve_of([10.0, 40.0, 30.0])
    best = Forecast(value=40.0, spread=math.nan, at_max_epochs=40.0, num_points=3)
    last = Forecast(value=30.0, spread=math.nan, at_max_epochs=30.0, num_points=1)
    assert repr(BestSoFar().forecast(curve)) == repr(best)
    assert repr(LastValue().forecast(curve)) == repr(last)
    assert BestSoFar().forecast(Curve()) is None
    assert LastValue().forecast(Curve()) is None
