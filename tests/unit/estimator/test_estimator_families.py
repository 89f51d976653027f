"""Families of learning curves, their bank, and the preset lce that rests on it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import (
    Action,
    Curve,
    Ended,
    Engine,
    Forecast,
    History,
    Observed,
    Population,
    Reason,
    Standing,
    preset,
)
from estimator.forecasters import FamilyBank
from estimator.forecasters.separable import DISTINCT, FAMILIES
from estimator.rules import PredictiveTermination

EPOCHS = np.arange(0.5, 20.1, 0.5)
SHARES = EPOCHS / 20.0


def curve_of(accuracies: np.ndarray | list[float], *, interval: float = 0.5) -> Curve:
    curve = Curve()
    for index, accuracy in enumerate(accuracies, start=1):
        curve.append(index * interval, val_accuracy=float(accuracy))
    return curve


def population_of(*bests: float) -> Population:
    history = History()
    for number, best in enumerate(bests, start=1):
        history.apply(Observed(candidate=number, epoch=20.0, val_accuracy=best))
        history.apply(Ended(candidate=number, standing=Standing.FINISHED))
    return Population(history=history, candidate=0)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_alone_foresees_the_end_of_a_curve_of_its_own(name: str) -> None:
    family = FAMILIES[name]
    shapes = family.shape(SHARES[None, :], *family.columns())
    shape = shapes[len(shapes) // 2]
    rising = 20.0 + 60.0 * (shape - shape[0]) / (shape[-1] - shape[0])
    curve = rising if family.has_offset else 80.0 * shape / shape[-1]
    forecast = FamilyBank(max_epochs=20.0, families=(name,)).forecast(curve_of(curve[:20]))
    assert forecast is not None
    assert forecast.value == pytest.approx(80.0, abs=3.0)
    assert forecast.low <= 80.0 + 1e-6 <= forecast.high + 1.0
    assert 0.0 < forecast.spread < 10.0


def test_the_bank_beats_best_so_far_and_its_intervals_hold_on_recorded_curves(test_data: Path) -> None:
    """Pooled over curves that the constants were not chosen on, at 20 % of the budget."""
    errors, best_errors, covered = [], [], []
    with np.load(test_data / "curves" / "lemur_dev.npz") as file:
        curves = file["val_acc"][file["dataset"] == "cifar-10"].astype(np.float64)
    bank = FamilyBank(max_epochs=50.0)
    for row in curves[::4]:
        forecast = bank.forecast(curve_of(row[:10], interval=1.0))
        assert forecast is not None
        truth = row.max()
        low, high = forecast.interval_90
        errors.append(abs(forecast.value - truth))
        best_errors.append(abs(row[:10].max() - truth))
        covered.append(low <= truth <= high)
    assert np.mean(errors) < 0.6 * np.mean(best_errors)
    assert 0.85 <= np.mean(covered) <= 1.0


def test_more_of_the_curve_narrows_the_interval() -> None:
    accuracies = 80.0 - 60.0 * np.exp(-EPOCHS / 4.0)
    bank = FamilyBank(max_epochs=20.0)
    forecasts = [bank.forecast(curve_of(accuracies[:points])) for points in (3, 10, 20, 39)]
    spreads = [forecast.spread for forecast in forecasts if forecast is not None]
    assert len(spreads) == 4
    assert spreads == sorted(spreads, reverse=True)


def test_at_the_full_budget_the_best_is_what_it_is() -> None:
    forecast = FamilyBank(max_epochs=2.0).forecast(curve_of([10.0, 50.0, 30.0, 40.0]))
    expected = Forecast(value=50.0, spread=0.0, at_max_epochs=50.0, num_points=4, low=50.0, high=50.0)
    assert repr(forecast) == repr(expected)


def test_too_short_a_curve_has_no_forecast() -> None:
    assert FamilyBank(max_epochs=20.0).forecast(curve_of([10.0, 20.0])) is None


steps = st.sampled_from([1e-9, 0.01, 0.5, 0.5, 3.0, 30.0])
accuracies = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 10.0, 100.0]))


@pytest.mark.parametrize("families", [DISTINCT, *((name,) for name in FAMILIES)])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(points=st.lists(st.tuples(steps, accuracies), min_size=3, max_size=8))
def test_any_curve_has_a_forecast_between_its_best_and_100(
    families: tuple[str, ...], points: list[tuple[float, float]]
) -> None:
    curve, epoch = Curve(), 0.0
    for step, accuracy in points:
        epoch += step
        curve.append(epoch, val_accuracy=accuracy)
    forecast = FamilyBank(max_epochs=20.0, families=families).forecast(curve)
    assert forecast is not None
    assert curve.best_accuracy <= forecast.low <= forecast.high <= 100.0
    assert curve.best_accuracy <= forecast.value <= 100.0
    assert math.isfinite(forecast.spread)


def test_a_very_long_curve_has_a_forecast() -> None:
    curve = curve_of(90.0 - 60.0 * np.exp(-np.arange(20_000) / 3_000.0), interval=0.001)
    forecast = FamilyBank(max_epochs=30.0).forecast(curve)
    assert forecast is not None
    assert forecast.value == pytest.approx(90.0, abs=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"families": ("pow5",)}, r"unknown family 'pow5'; did you mean 'pow[34]'\? known: exp3, pow3"),
        ({"families": ()}, r"families = \(\) must name at least one"),
        ({"families": "pow3"}, r"families = 'pow3' must name at least one, in a tuple"),
        ({"min_points": 0}, r"min_points = 0 must be a whole number, 1 or more"),
        ({"max_epochs": -1.0}, r"max_epochs = -1.0 must be a finite number above 0"),
    ],
)
def test_what_can_not_be_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FamilyBank(**{"max_epochs": 20.0, **arguments})  # type: ignore[arg-type]


def forecast_of(value: float, spread: float) -> Forecast:
    return Forecast(value=value, spread=spread, at_max_epochs=value, num_points=4)


def test_lce_stops_what_will_hardly_beat_the_best() -> None:
    rule, curve = PredictiveTermination(max_epochs=20.0), curve_of([40.0] * 4)
    population = population_of(70.0, 90.0)
    decision = rule.decide(curve, [None, None, None, forecast_of(50.0, 5.0)], population)
    assert decision.reason is Reason.UNLIKELY_BEST
    assert decision.estimate == 50.0
    assert dict(decision.numbers)["best"] == 90.0
    assert dict(decision.numbers)["probability"] < 0.05
    unsure = rule.decide(curve, [None, None, None, forecast_of(50.0, 30.0)], population)
    assert unsure.action is Action.GO


@pytest.mark.parametrize("points", [3, 5, 7])
def test_lce_decides_at_checkpoints_only(points: int) -> None:
    curve = curve_of([40.0] * points)
    forecasts = [forecast_of(50.0, 1.0)] * points
    decision = PredictiveTermination(max_epochs=20.0).decide(curve, forecasts, population_of(90.0))
    assert decision.action is Action.GO
    assert decision.numbers == ()


def test_lce_never_stops_the_first_candidate_nor_one_without_a_spread() -> None:
    rule, curve = PredictiveTermination(max_epochs=20.0), curve_of([40.0] * 4)
    assert rule.decide(curve, [forecast_of(1.0, 1.0)] * 4, Population()).action is Action.GO
    assert rule.decide(curve, [None] * 4, population_of(90.0)).action is Action.GO
    assert rule.decide(curve, [forecast_of(1.0, math.nan)] * 4, population_of(90.0)).action is Action.GO


def test_lce_as_a_preset_stops_a_hopeless_candidate_and_lets_the_best_go_on() -> None:
    history = History()
    stops = []
    for number, final in enumerate((90.0, 25.0, 93.0)):
        engine = Engine(preset("lce", max_epochs=20.0), history=history, candidate=number)
        for epoch, share in zip(EPOCHS, 1.0 - np.exp(-EPOCHS / 2.0), strict=True):
            if engine.observe(float(epoch), val_accuracy=float(final * share)).stop:
                break
        stops.append(engine.decision.reason if engine.decision else None)
    assert stops == [None, Reason.UNLIKELY_BEST, None]
    assert not preset("lce", max_epochs=20.0).alone
