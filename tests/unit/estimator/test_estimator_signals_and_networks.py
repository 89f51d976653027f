"""Training losses as scores, and the Bayesian network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_helpers import (
    NOBODY,
    accuracies_of_any_kind,
    curve_of,
    events_of,
    finished,
    lemur,
    mean_error_and_coverage,
    seen_by,
)

from estimator import Engine, History, preset
from estimator.forecasters import (
    BayesianNetwork,
    BestSoFar,
    RankedSignal,
    RankingSignal,
)
from estimator.forecasters.learned.network_ensemble import Rows, _forward, _gradients, _unseen

# --- training signals


def rivals() -> History:
    """Three candidates, of which the one with the worst accuracy has the best training loss."""
    histories = {0: ([20.0, 30.0], [0.5, 0.4]), 1: ([30.0, 40.0], [2.0, 1.9]), 2: ([40.0, 90.0], [1.0, 0.2])}
    return History(
        event
        for number, (accuracies, losses) in histories.items()
        for event in events_of(number, accuracies, standing=None, train_loss=losses)
    )


@pytest.mark.parametrize(
    ("signal", "loss", "value"),
    [
        (RankingSignal.BEST, 0.1, 35.0),
        (RankingSignal.TRAIN_LOSS, 0.1, 40.0),  # lowest loss: the highest accuracy of all four after an epoch
        (RankingSignal.TRAIN_LOSS, 5.0, 20.0),
        (RankingSignal.TRAIN_LOSS, 1.5, 20.0 + 10.0),  # a third of the others is worse
        (RankingSignal.BLEND, 0.1, 37.5),  # ranks 1 and 2/3
        (RankingSignal.BLEND, math.nan, 35.0),
        (RankingSignal.BLEND, math.inf, 35.0),
    ],
)
def test_a_training_loss_is_told_as_the_accuracy_at_its_rank(
    signal: RankingSignal, loss: float, value: float
) -> None:
    curve = curve_of([35.0], train_loss=[loss])
    forecast = RankedSignal(signal=signal).forecast(curve, seen_by(9, rivals()))
    assert forecast is not None
    assert forecast.value == pytest.approx(value)
    assert math.isnan(forecast.spread)


def test_only_who_was_as_far_is_a_rival() -> None:
    curve = curve_of([35.0, 36.0, 36.0], train_loss=[0.1, 0.1, 0.1])
    assert RankedSignal().forecast(curve, seen_by(9, rivals())) == BestSoFar().forecast(curve)


def test_the_sum_of_losses_does_not_depend_on_how_often_was_validated() -> None:
    history = History(events_of(0, [10.0, 10.0, 10.0, 10.0], train_loss=[1.0, 1.0, 1.0, 1.0], step=0.5))
    rarely = curve_of([50.0], train_loss=[1.1], step=2.0)
    forecast = RankedSignal(signal=RankingSignal.TRAIN_LOSS).forecast(rarely, seen_by(9, history))
    assert forecast is not None
    assert forecast.value == 10.0  # below the only other one


def test_i_epoch_ranks_by_the_signal_that_is_named() -> None:
    assert preset("i-epoch", max_epochs=20).forecaster == BestSoFar()
    blend = preset("i-epoch", max_epochs=20, epochs=2, signal="blend")
    assert blend.forecaster == RankedSignal(signal=RankingSignal.BLEND)
    engine = Engine(blend, history=rivals(), candidate=9)
    assert not engine.observe(1.0, val_accuracy=35.0, train_loss=0.1).stop
    decision = engine.observe(2.0, val_accuracy=35.0, train_loss=0.1)
    assert decision.stop
    assert decision.estimate == pytest.approx(40.0)  # ranks 1/3 and 1
    with pytest.raises(ValueError, match="signal = 'loss' must be one of best, train_loss, blend"):
        preset("i-epoch", max_epochs=20, signal="loss")


# --- Bayesian network


def test_the_network_beats_best_so_far_with_an_interval_that_holds(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")[:180]
    error, coverage = mean_error_and_coverage(BayesianNetwork(), curves, known=60)
    assert error < 0.5 * np.mean(curves[60:].max(axis=1) - curves[60:, :12].max(axis=1))
    assert 0.85 <= coverage <= 0.99


def test_the_network_is_the_same_for_the_same_history(test_data: Path) -> None:
    curves = lemur(test_data, "imagenette")
    curve, known = curve_of(curves[40][:7]), finished(curves[:12])
    assert BayesianNetwork().forecast(curve, seen_by(40, finished(curves[:11]))) == BestSoFar().forecast(
        curve
    )
    one = BayesianNetwork().forecast(curve, seen_by(40, known))
    assert one == BayesianNetwork().forecast(curve, seen_by(40, History(known.events)))
    assert one != BayesianNetwork().forecast(curve, seen_by(40, finished(curves[1:13])))


def test_gradients_of_the_network_are_those_of_its_error() -> None:
    draw = np.random.default_rng(0)
    rows = Rows(
        features=draw.standard_normal((7, 3)),
        times=draw.uniform(0.1, 1.0, (7, 2)),
        gains=draw.uniform(0.0, 2.0, (7, 2)),
        curves=np.arange(7),
    )
    weights = [draw.standard_normal((2, 4, 5)), draw.standard_normal((2, 6, 6))]
    picked = np.tile(np.arange(7), (2, 1))

    def error() -> float:
        made = _forward(*weights, rows.features, rows.times)[0]
        return float(np.sum((made - rows.gains) ** 2) / (2.0 * 7 * 2 * 0.7**2))

    for weight, gradient in zip(weights, _gradients(weights, rows, picked, 0.7), strict=True):
        for index in [(0, 0, 0), (1, 2, 3), (0, -1, 1), (1, -1, -1), (0, 1, -1)]:
            before, numeric = weight[index], 0.0
            for step in (1e-5, -1e-5):
                weight[index] = before + step
                numeric += error() / (2.0 * step)
            weight[index] = before
            assert gradient[index] == pytest.approx(numeric, rel=1e-5, abs=1e-9)


def test_every_row_is_unseen_by_a_member() -> None:
    for num_curves in (4, 12, 50):
        unseen = _unseen(np.random.default_rng(0), num_curves)
        assert unseen.any(axis=0).all()
        assert not unseen.all(axis=1).any()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    others=st.lists(accuracies_of_any_kind, min_size=4, max_size=7),
    accuracies=accuracies_of_any_kind,
    losses=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=6, max_size=6),
)
def test_any_curve_has_a_forecast_of_the_network_in_range(
    others: list[list[float]], accuracies: list[float], losses: list[float]
) -> None:
    history = History(
        event for number, row in enumerate(others) for event in events_of(number, row, train_loss=losses)
    )
    curve = curve_of(accuracies, train_loss=losses)
    forecast = BayesianNetwork(min_finished=4).forecast(curve, seen_by(NOBODY, history))
    assert forecast is not None
    low, high = forecast.interval_90
    assert max(accuracies) <= low <= forecast.value <= high <= 100.0
    assert 0.0 <= forecast.spread <= 100.0
