"""When each rule stops, and when it refuses to. Forecasts are given, not fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from estimator import Action, Curve, Forecast, Reason
from estimator.rules import (
    A4nnConvergence,
    Convergence,
    IEpoch,
    ListingConvergence,
    Menndl,
    NeverLearn,
    NeverStop,
    PenguinConvergence,
    Rule,
)

NEVER_LEARN = NeverLearn(chance_accuracy=10.0, margin=1.0)
VALUES_BELOW_CHANCE = (10.5, 10.6, 10.4)


def forecast(value: float, *, at_max_epochs: float = math.nan, a: float = math.nan) -> Forecast:
    end = value if math.isnan(at_max_epochs) else at_max_epochs
    return Forecast(value=value, spread=0.25, at_max_epochs=end, num_points=5, a=a)


def forecasts_of(values: Sequence[float | None]) -> list[Forecast | None]:
    return [None if value is None else forecast(value) for value in values]


def curve_of(
    num_points: int, *, accuracy: float = 50.0, interval: float = 0.5, **losses: list[float]
) -> Curve:
    curve = Curve()
    for index in range(num_points):
        row = {name: values[index] for name, values in losses.items()}
        curve.append((index + 1) * interval, val_accuracy=accuracy, **row)
    return curve


def stops(rule: Rule, values: Sequence[float | None]) -> bool:
    return rule.decide(curve_of(len(values)), forecasts_of(values)).stop


PENGUIN = PenguinConvergence(highest_asymptote=199.99)


# --- stable forecasts


def test_stable_forecasts_stop_with_the_latest_as_estimate() -> None:
    forecasts = forecasts_of([None, None, 70.0, 70.4, 70.3])
    decision = Convergence().decide(curve_of(5), forecasts)
    assert (decision.action, decision.reason) == (Action.STOP, Reason.CONVERGED)
    assert (decision.estimate, decision.spread, decision.forecast) == (70.3, 0.25, forecasts[-1])
    assert dict(decision.numbers) == pytest.approx({"centre": 70.2333333, "deviation": 0.2333333})


def test_unstable_forecasts_go_on() -> None:
    decision = Convergence().decide(curve_of(5), forecasts_of([None, None, 70.0, 71.0, 70.3]))
    assert (decision.action, decision.reason) == (Action.GO, None)
    assert math.isnan(decision.estimate)
    assert decision.forecast == forecast(70.3)


@pytest.mark.parametrize("rule", [Convergence(), PENGUIN, A4nnConvergence()])
def test_fewer_forecasts_than_the_window_never_stop(rule: Rule) -> None:
    assert not stops(rule, [None])
    assert not stops(rule, [None, None, 70.0])
    assert not stops(rule, [None, None, 70.0, 70.0])
    assert stops(rule, [None, None, 70.0, 70.0, 70.0])


def test_only_the_window_must_be_stable() -> None:
    assert stops(Convergence(), [20.0, 90.0, 70.0, 70.0, 70.0])
    assert not stops(Convergence(window=4), [20.0, 90.0, 70.0, 70.0, 70.0])


def test_tolerance_is_inclusive_and_around_the_mean() -> None:
    assert stops(Convergence(window=2), [70.0, 71.0])
    assert not stops(Convergence(window=2), [70.0, 71.01])
    assert stops(Convergence(window=2, tolerance=1.0), [70.0, 71.01])


def test_the_codes_look_around_the_median() -> None:
    values = [70.0, 70.0, 70.7]  # mean 70.23, median 70.0
    assert stops(Convergence(), values)
    assert not stops(PENGUIN, values)
    assert not stops(A4nnConvergence(), values)


# --- forecasts that can't be true, and fits that failed


@pytest.mark.parametrize("rule", [Convergence(), PENGUIN, A4nnConvergence()])
def test_a_forecast_above_100_never_stops(rule: Rule) -> None:
    assert not stops(rule, [100.1, 100.1, 100.1])
    assert stops(rule, [100.0, 100.0, 100.0])


def test_only_a4nn_minds_earlier_forecasts_above_100() -> None:
    values = [100.2, 100.0, 99.9]
    assert stops(Convergence(), values)
    assert stops(PENGUIN, values)
    assert not stops(A4nnConvergence(), values)


def test_a_forecast_of_zero_is_valid_for_a4nn_only() -> None:
    assert stops(A4nnConvergence(), [0.0, 0.0, 0.0])
    assert not stops(PENGUIN, [0.0, 0.0, 0.0])
    assert not stops(A4nnConvergence(), [-0.1, 0.0, 0.0])


@pytest.mark.parametrize("rule", [Convergence(), PENGUIN, A4nnConvergence()])
def test_a_failed_fit_never_stops(rule: Rule) -> None:
    assert not stops(rule, [70.0, 70.0, 70.0, None])


def test_a_failed_fit_restarts_the_window_except_for_penguin() -> None:
    values = [70.0, 70.0, None, 70.0]
    assert not stops(Convergence(), values)
    assert not stops(A4nnConvergence(), values)
    assert stops(PENGUIN, values)
    assert stops(Convergence(), [*values, 70.0, 70.0])


def test_an_asymptote_at_its_bound_clears_penguins_window() -> None:
    at_bound = forecast(70.0, a=199.99)
    below = forecast(70.0, a=199.98)
    assert not PENGUIN.decide(curve_of(4), [below, below, at_bound, below]).stop
    assert not PENGUIN.decide(curve_of(4), [below, below, below, at_bound]).stop
    assert PENGUIN.decide(curve_of(4), [at_bound, below, below, below]).stop


# --- networks that never learn, and the loss check


def test_a_stable_forecast_at_chance_stops_as_never_learn() -> None:
    decision = Convergence(never_learn=NEVER_LEARN).decide(curve_of(3), forecasts_of(VALUES_BELOW_CHANCE))
    assert (decision.action, decision.reason, decision.estimate) == (Action.STOP, Reason.NEVER_LEARN, 10.4)


def test_never_learn_is_judged_on_the_curve_at_the_full_budget() -> None:
    flat = forecast(12.2, at_max_epochs=11.0)
    rising = forecast(12.2, at_max_epochs=11.1)
    rule = Convergence(never_learn=NEVER_LEARN)
    assert rule.decide(curve_of(3), [flat] * 3).reason is Reason.NEVER_LEARN
    assert rule.decide(curve_of(3), [rising] * 3).reason is Reason.CONVERGED


def test_without_chance_accuracy_no_network_is_called_never_learn() -> None:
    assert Convergence().decide(curve_of(3), forecasts_of([0.0] * 3)).reason is Reason.CONVERGED


def loss_checked(losses: list[float], *, value: float = 10.4) -> tuple[Action, Reason | None]:
    rule = Convergence(loss_check=True, loss_patience_epochs=2.0, never_learn=NEVER_LEARN)
    values = [value] * len(losses)
    decision = rule.decide(curve_of(len(losses), val_loss=losses), forecasts_of(values))
    return decision.action, decision.reason


GO_ON = (Action.GO, None)


def test_the_loss_check_holds_a_network_whose_loss_still_falls() -> None:
    assert loss_checked([2.5, 2.4, 2.3, 2.2, 2.1, 2.0]) == GO_ON
    assert loss_checked([2.5, 2.0, 2.1, 2.2, 2.3]) == GO_ON  # 1.5 epochs since


def test_the_loss_check_lets_a_network_go_whose_loss_stands() -> None:
    assert loss_checked([2.5, 2.0, 2.1, 2.2, 2.3, 2.4]) == (Action.STOP, Reason.NEVER_LEARN)
    assert loss_checked([2.0] * 5) == (Action.STOP, Reason.NEVER_LEARN)


def test_the_loss_check_leaves_networks_that_learn_alone() -> None:
    assert loss_checked([2.5, 2.4, 2.3, 2.2], value=70.0) == (Action.STOP, Reason.CONVERGED)


def test_the_loss_check_goes_on_where_the_loss_is_unknown() -> None:
    assert loss_checked([math.nan] * 9) == GO_ON
    assert loss_checked([2.0] * 8 + [math.nan]) == GO_ON
    assert loss_checked([2.0] * 8 + [math.inf]) == GO_ON
    assert loss_checked([math.nan, math.inf] + [2.0] * 5) == (Action.STOP, Reason.NEVER_LEARN)


# --- Algorithm 2 by the letter

LISTING = ListingConvergence(epochs_per_interval=0.5, min_points=3)


def listing_stops(accuracies: Sequence[float], values: Sequence[float | None]) -> bool:
    curve = Curve()
    for index, accuracy in enumerate(accuracies, start=1):
        curve.append(index * 0.5, val_accuracy=accuracy)
    return LISTING.decide(curve, forecasts_of(values)).stop


def test_the_listing_watches_measured_accuracies() -> None:
    assert listing_stops([60.0, 50.0, 50.2, 50.1], [None, None, 80.0, 20.0])
    assert not listing_stops([60.0, 50.0, 52.0, 50.0], [None, None, 70.0, 70.0])


def test_the_listing_acts_only_after_its_window_of_intervals() -> None:
    assert not listing_stops([50.0] * 3, [None, None, 70.0])
    assert listing_stops([50.0] * 4, [None, None, 70.0, 70.0])


def test_a_failed_fit_restarts_the_listings_window() -> None:
    assert not listing_stops([50.0] * 5, [None, None, 70.0, None, 70.0])
    assert listing_stops([50.0] * 6, [None, None, None, 70.0, 70.0, 70.0])


# --- baselines


def test_menndl_stops_when_the_training_loss_stands_for_ten_epochs() -> None:
    losses = [2.0, 1.0, *[1.0] * 9, 1.5]
    forecasts = forecasts_of([50.0] * 12)
    decision = Menndl().decide(curve_of(12, interval=1.0, train_loss=losses), forecasts)
    assert (decision.action, decision.reason, decision.estimate) == (Action.STOP, Reason.CONVERGED, 50.0)
    assert dict(decision.numbers) == {"epochs_since_minimum_loss": 10.0}


@pytest.mark.parametrize(
    "losses",
    [
        [2.0, 1.0, *[1.0] * 9],  # 9 epochs
        [2.0, *[1.0] * 10, 0.9],  # a new minimum, just in time
        [math.nan] * 15,
        [1.0] * 14 + [math.nan],
        [1.0] * 14 + [math.inf],
    ],
)
def test_menndl_refuses_to_stop(losses: list[float]) -> None:
    forecasts = forecasts_of([50.0] * len(losses))
    decision = Menndl().decide(curve_of(len(losses), interval=1.0, train_loss=losses), forecasts)
    assert decision.action is Action.GO


def test_i_epoch_stops_everyone_at_the_same_epoch() -> None:
    rule = IEpoch(epochs=2.0)
    assert not rule.decide(curve_of(3), forecasts_of([50.0] * 3)).stop
    decision = rule.decide(curve_of(4), forecasts_of([50.0] * 4))
    assert (decision.action, decision.reason, decision.estimate) == (Action.STOP, Reason.BUDGET, 50.0)


def test_i_epoch_is_not_fooled_by_rounding() -> None:
    curve = Curve()
    curve.append(sum([0.1] * 10), val_accuracy=50.0)  # 0.9999999999999999
    assert IEpoch(epochs=1.0).decide(curve, forecasts_of([50.0])).stop


def test_none_never_stops() -> None:
    assert not NeverStop().decide(curve_of(40), forecasts_of([10.0] * 40)).stop
