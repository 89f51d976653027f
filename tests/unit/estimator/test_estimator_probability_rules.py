"""Rules that stop what is unlikely to be among the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from learned_helpers import curve_of, events_of, finished, lemur, seen_by

from estimator import (
    Curve,
    Decision,
    Engine,
    Forecast,
    History,
    Observed,
    Population,
    Preset,
    Reason,
    Standing,
    preset,
)
from estimator.forecasters import BestSoFar, Forecaster
from estimator.forecasters.learned.finished_curves import estimates_of_others
from estimator.rules import UnlikelyBest, UnlikelyTop
from estimator.rules.probability import normal_probability_below, probability_at_least


def forecast_of(value: float, spread: float, *, low: float = math.nan, high: float = math.nan) -> Forecast:
    return Forecast(value=value, spread=spread, at_max_epochs=value, num_points=2, low=low, high=high)


def trained(curves: Sequence[Sequence[float]], build: Preset) -> tuple[list[Decision | None], History]:
    """The decisions to stop, candidate after candidate, and what is known in the end."""
    history, decisions = History(), []
    for number, accuracies in enumerate(curves):
        engine = Engine(build, history=history, candidate=number)
        for index, accuracy in enumerate(accuracies):
            if engine.observe(index + 1.0, val_accuracy=accuracy).stop:
                break
        decisions.append(engine.decision)
    return decisions, history


def test_probabilities_of_a_normal_forecast() -> None:
    forecast = forecast_of(80.0, 5.0)
    assert normal_probability_below(80.0, forecast) == pytest.approx(0.5)
    assert normal_probability_below(88.22426813, forecast) == pytest.approx(0.95)
    assert probability_at_least(88.22426813, forecast) == pytest.approx(0.05)


def test_a_forecasters_own_interval_counts_to_each_side() -> None:
    forecast = forecast_of(80.0, 5.0, low=78.0, high=95.0)
    assert probability_at_least(95.0, forecast) == pytest.approx(0.05)
    assert probability_at_least(78.0, forecast) == pytest.approx(0.95)
    assert probability_at_least(80.0, forecast) == pytest.approx(0.5)


def test_without_doubt_and_without_knowledge() -> None:
    assert normal_probability_below(79.9, forecast_of(80.0, 0.0)) == 0.0
    assert normal_probability_below(80.0, forecast_of(80.0, 0.0)) == 1.0
    assert math.isnan(normal_probability_below(80.0, forecast_of(80.0, math.nan)))
    assert math.isnan(probability_at_least(80.0, forecast_of(80.0, math.nan)))
    assert probability_at_least(100.0, forecast_of(100.0, 0.0, low=100.0, high=100.0)) == 0.0


def decided(rule: UnlikelyTop, forecast: Forecast | None, *, epoch: int, history: History) -> Decision:
    curve = curve_of([1.0] * epoch)
    return rule.decide(curve, [None] * (epoch - 1) + [forecast], seen_by(99, history))


ends = finished([[1.0, float(best)] for best in (10, 20, 30, 40, 50)])
"""Five candidates that ended with these accuracies; the best fifth begins at 42."""

fifth = UnlikelyTop(max_epochs=10.0, top=0.2, min_finished=5, checkpoints=(0.2, 0.5))


def test_what_is_unlikely_to_be_among_the_best_is_stopped() -> None:
    decision = decided(fifth, forecast_of(30.0, 5.0), epoch=2, history=ends)
    assert decision.stop
    assert decision.reason is Reason.UNLIKELY_BEST
    assert (decision.estimate, decision.spread) == (30.0, 5.0)
    assert dict(decision.numbers) == pytest.approx({"probability": 0.00819754, "threshold": 42.0})


@pytest.mark.parametrize(
    ("forecast", "epoch", "known"),
    [
        (forecast_of(36.0, 5.0), 2, ends),  # P = .115
        (forecast_of(30.0, 5.0), 3, ends),  # no checkpoint
        (forecast_of(30.0, math.nan), 2, ends),
        (None, 2, ends),
        (forecast_of(30.0, 5.0), 2, finished([[1.0, 90.0]] * 4)),  # too few have finished
    ],
)
def test_what_may_be_among_the_best_goes_on(forecast: Forecast | None, epoch: int, known: History) -> None:
    assert not decided(fifth, forecast, epoch=epoch, history=known).stop


def test_a_checkpoint_between_observations_counts_at_the_next_one() -> None:
    forecast = forecast_of(30.0, 5.0)
    curve = curve_of([1.0, 1.0], step=3.3)
    assert fifth.decide(curve, [forecast, forecast], seen_by(99, ends)).stop
    late = curve_of([1.0, 1.0, 1.0], step=2.6)
    assert not fifth.decide(late, [forecast] * 3, seen_by(99, ends)).stop


class _CountingForecaster(Forecaster):
    """Forecasts ten points more than was seen, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def forecast(self, curve: Curve, population: Population | None = None) -> Forecast | None:
        self.calls += 1
        return forecast_of(curve.best_accuracy + 10.0, 1.0) if len(curve) else None


def test_others_count_with_what_they_reached_or_are_forecast_to() -> None:
    history, forecaster = finished([[50.0, 60.0]]), _CountingForecaster()
    others = [
        (1, Standing.STOPPED, 20.0),
        (2, Standing.PAUSED, 30.0),
        (3, None, 40.0),
        (4, Standing.FAILED, 1.0),
    ]
    for number, standing, accuracy in others:
        for event in events_of(number, [accuracy], standing=standing):
            history.apply(event)
    assert estimates_of_others(seen_by(9, history), forecaster).tolist() == [60.0, 30.0, 40.0, 50.0]
    assert estimates_of_others(seen_by(3, history), forecaster).tolist() == [60.0, 30.0, 40.0]
    assert forecaster.calls == 3
    history.apply(Observed(candidate=3, epoch=2.0, val_accuracy=45.0))
    assert estimates_of_others(seen_by(9, history), forecaster).tolist() == [60.0, 30.0, 40.0, 55.0]
    assert forecaster.calls == 4
    for event in events_of(5, [10.0], standing=None):
        history.apply(event)
    assert estimates_of_others(seen_by(3, history), forecaster).tolist() == [60.0, 30.0, 40.0, 20.0]
    assert forecaster.calls == 5
    for event in events_of(6, [70.0]):  # one more to learn from: all forecasts are made again
        history.apply(event)
    known = estimates_of_others(seen_by(9, history), forecaster)
    assert known.tolist() == [60.0, 30.0, 40.0, 55.0, 20.0, 70.0]
    assert forecaster.calls == 9


def test_prob_top_keeps_the_best_tenth_and_saves_epochs(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")[:150, 4::5].tolist()
    decisions, history = trained(curves, preset("prob-top", max_epochs=10))
    best = np.argsort([-max(curve) for curve in curves])[:15]
    epochs = sum(len(member.curve) for member in history.members.values())
    assert all(decision is None for decision in decisions[:12])
    assert sum(decisions[number] is None for number in best) >= 14
    assert epochs < 0.6 * 10 * len(curves)
    assert {decision.reason for decision in decisions if decision} == {Reason.UNLIKELY_BEST}


def test_a_decision_of_prob_top_is_the_same_when_replayed_at_its_version(test_data: Path) -> None:
    curves = lemur(test_data, "imagenette")[:60, 1::2].tolist()
    build = preset("prob-top", max_epochs=25)
    decisions, history = trained(curves, build)
    stopped = [(number, decision) for number, decision in enumerate(decisions) if decision]
    assert len(stopped) > 10
    for number, decision in stopped[::5]:
        before = History(history.events[: decision.version])
        curve = curve_of(history.members[number].curve.val_accuracy)
        forecast = build.forecaster.forecast(curve, seen_by(number, before))
        assert forecast == decision.forecast
        again = build.rule.decide(curve, [None] * (len(curve) - 1) + [forecast], seen_by(number, before))
        assert (again.estimate, again.numbers) == (decision.estimate, decision.numbers)


@pytest.mark.parametrize("forecaster", ["srm", "bayesian-network"])
def test_prob_top_takes_other_forecasters(forecaster: str, test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")[:50, 4::5].tolist()
    decisions, _ = trained(curves, preset("prob-top", max_epochs=10, forecaster=forecaster))
    best = int(np.argmax([max(curve) for curve in curves]))
    assert decisions[best] is None
    assert sum(decision is not None for decision in decisions) > 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": 1.0}, "top = 1.0 must be a number between 0 and 1"),
        ({"probability": 0}, "probability = 0 must be a number between 0 and 1"),
        ({"min_finished": 3}, "min_finished = 3 must be a whole number, 4 or more"),
        ({"forecaster": "oracle"}, "preset prob-top: forecaster = 'oracle' must be one of remaining-gain"),
    ],
)
def test_prob_top_refuses_what_can_not_be(settings: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset("prob-top", max_epochs=20, **settings)


def test_checkpoints_are_shares() -> None:
    with pytest.raises(ValueError, match=r"checkpoints = 1\.5 must be a number between 0 and 1"):
        UnlikelyTop(max_epochs=20.0, checkpoints=(0.5, 1.5), forecaster=BestSoFar())


# --- Baker's rule


@pytest.mark.parametrize(
    ("settings", "forecast", "stops"),
    [
        ({}, forecast_of(41.7, 5.0), True),  # P(<= 50) = .9515
        ({}, forecast_of(41.8, 5.0), False),
        ({"certainty": 0.99}, forecast_of(41.7, 5.0), False),
        ({"margin": 1.0}, forecast_of(41.7, 5.0), False),
        ({"margin": 1.0}, forecast_of(40.7, 5.0), True),
        ({"rank": 2}, forecast_of(41.7, 5.0), False),
        ({"rank": 2}, forecast_of(31.7, 5.0), True),
        ({"rank": 6}, forecast_of(1.0, 5.0), False),  # there is no sixth yet
        ({"burn_in": 6}, forecast_of(1.0, 5.0), False),
        ({}, forecast_of(1.0, math.nan), False),
        ({}, None, False),
    ],
)
def test_baker_stops_what_is_unlikely_to_beat_the_best(
    settings: dict[str, float], forecast: Forecast | None, stops: bool
) -> None:
    rule = UnlikelyBest(**{"burn_in": 5, **settings})
    decision = rule.decide(curve_of([1.0]), [forecast], seen_by(99, ends))
    assert decision.stop is stops
    if stops:
        assert decision.reason is Reason.UNLIKELY_BEST
        assert dict(decision.numbers)["to_beat"] == 50.0 - 10.0 * (rule.rank - 1) - rule.margin


def test_baker_saves_most_epochs_and_keeps_the_best(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")[:60, 4::5].tolist()
    decisions, history = trained(curves, preset("baker", max_epochs=10))
    values = [
        decision.estimate if decision else max(curve)
        for decision, curve in zip(decisions, curves, strict=True)
    ]
    epochs = sum(len(member.curve) for member in history.members.values())
    assert all(decision is None for decision in decisions[:20])
    assert epochs < 0.6 * 10 * len(curves)
    assert max(map(max, curves)) - max(curves[int(np.argmax(values))]) < 1.0


def test_baker_refuses_what_can_not_be() -> None:
    with pytest.raises(ValueError, match="model = 'svm' must be one of nusvr-rbf, nusvr-linear, forest, ols"):
        preset("baker", max_epochs=20, model="svm")
    with pytest.raises(ValueError, match=r"preset baker: certainty = 1\.0 must be a number between 0 and 1"):
        preset("baker", max_epochs=20, certainty=1.0)
