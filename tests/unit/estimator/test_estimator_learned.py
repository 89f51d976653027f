"""What forecasters learn from finished curves: on recorded curves, and on strange ones."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_helpers import NOBODY, Array, a4nn, curve_of, events_of, finished, lemur, random_cnns, seen_by

from estimator import Engine, History, Standing, preset
from estimator.forecasters import (
    BestSoFar,
    Forecaster,
    LastValue,
    RankedSignal,
    RemainingGain,
    SequentialRegression,
    Signal,
)
from estimator.forecasters.learned import Hyperparameters, Regression
from estimator.forecasters.learned.lessons import curve_row, lessons_of
from estimator.forecasters.learned.regressors import fold_residuals
from estimator.forecasters.learned.sequential_regression import fit_length
from estimator.forecasters.learned.srm_background import leave_one_out_spread, tune


def test_remaining_gain_beats_best_so_far_on_curves_it_has_not_seen(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    known, others = finished(curves[:30]), curves[30:]
    truth = others.max(axis=1)
    errors, covered = [], []
    for accuracies, best in zip(others, truth, strict=True):
        forecast = RemainingGain().forecast(curve_of(accuracies[:10]), seen_by(NOBODY, known))
        assert forecast is not None
        low, high = forecast.interval_90
        errors.append(abs(forecast.value - best))
        covered.append(low <= best <= high)
        assert accuracies[:10].max() <= low <= forecast.value <= high <= 100.0
    assert np.mean(errors) < 0.5 * np.mean(truth - others[:, :10].max(axis=1))
    assert 0.85 <= np.mean(covered) <= 0.95


def test_remaining_gain_leaves_it_to_the_fallback_while_few_have_finished(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    curve = curve_of(curves[20][:10])
    few, enough = finished(curves[:11]), finished(curves[:12])
    forecaster = RemainingGain(fallback=LastValue())
    assert forecaster.forecast(curve, seen_by(NOBODY, few)) == LastValue().forecast(curve)
    assert RemainingGain().forecast(curve) == BestSoFar().forecast(curve)
    assert forecaster.forecast(curve, seen_by(NOBODY, enough)) != LastValue().forecast(curve)


def test_a_finished_curve_is_no_lesson_for_itself(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    known = finished(curves[:13])
    curve = curve_of(curves[12][:10])
    alone = RemainingGain().forecast(curve, seen_by(NOBODY, finished(curves[:12])))
    assert RemainingGain().forecast(curve, seen_by(12, known)) == alone
    assert RemainingGain().forecast(curve, seen_by(NOBODY, known)) != alone


def test_only_finished_curves_are_learned_from(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    known = finished(curves[:20])
    curve, forecaster = curve_of(curves[50][:10]), RemainingGain()
    before = forecaster.forecast(curve, seen_by(50, known))
    for number, standing in enumerate((None, Standing.STOPPED, Standing.PAUSED, Standing.FAILED), start=20):
        for event in events_of(number, curves[number][:15], standing=standing):
            known.apply(event)
    assert forecaster.forecast(curve, seen_by(50, known)) == before
    for event in events_of(24, curves[24]):
        known.apply(event)
    after = forecaster.forecast(curve, seen_by(50, known))
    assert after != before
    assert after == forecaster.forecast(curve, seen_by(50, History(known.events)))


def test_order_of_the_finished_curves_does_not_matter(test_data: Path) -> None:
    curves = lemur(test_data, "imagenette")
    curve = curve_of(curves[40][:5])
    one, two = (
        RemainingGain().forecast(curve, seen_by(NOBODY, finished(rows)))
        for rows in (curves[:30], curves[29::-1])
    )
    assert one is not None
    assert two is not None
    assert (one.value, one.spread, one.low) == pytest.approx((two.value, two.spread, two.low), rel=1e-9)


def test_training_accuracy_halves_the_error_where_it_says_more(test_data: Path) -> None:
    val, train = a4nn(test_data)
    both, blind = History(), finished(val[:30])
    for number in range(30):
        for event in events_of(number, val[number], train_accuracy=train[number]):
            both.apply(event)
    errors = np.zeros((len(val) - 30, 2))
    for row, number in enumerate(range(30, len(val))):
        curve = curve_of(val[number][:5], train_accuracy=train[number][:5])
        for column, history in enumerate((both, blind)):
            forecast = RemainingGain().forecast(curve, seen_by(NOBODY, history))
            assert forecast is not None
            errors[row, column] = abs(forecast.value - val[number].max())
    assert errors[:, 0].mean() < 0.5 * errors[:, 1].mean()
    alone = RemainingGain().forecast(curve_of(val[-1][:5]), seen_by(NOBODY, both))
    assert alone == RemainingGain().forecast(curve_of(val[-1][:5]), seen_by(NOBODY, blind))


def test_one_diverged_loss_does_not_hide_the_others(test_data: Path) -> None:
    accuracies, losses = random_cnns(test_data)
    history, clean = History(), History()
    for number in range(30):
        loss = losses[number] if number else np.full(40, math.inf)
        for event in events_of(number, accuracies[number], step=0.5, train_loss=loss):
            history.apply(event)
            if number:
                clean.apply(event)
    curve = curve_of(accuracies[70][:8], step=0.5, train_loss=losses[70][:8])
    known = RemainingGain().forecast(curve, seen_by(NOBODY, history))
    assert known == RemainingGain().forecast(curve, seen_by(NOBODY, clean))
    diverged = curve_of(accuracies[70][:8], step=0.5, train_loss=[*losses[70][:7], math.inf])
    unknown = curve_of(accuracies[70][:8], step=0.5)
    without = RemainingGain().forecast(unknown, seen_by(NOBODY, history))
    assert RemainingGain().forecast(diverged, seen_by(NOBODY, history)) == without != known


def test_observations_need_not_be_at_the_same_epochs(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    known, coarse = finished(curves[:30]), finished((curve[1::2] for curve in curves[:30]), step=2.0)
    curve = curve_of(curves[40][:21])
    fine = RemainingGain().forecast(curve, seen_by(NOBODY, known))
    rough = RemainingGain().forecast(curve, seen_by(NOBODY, coarse))
    assert fine is not None
    assert rough is not None
    assert abs(fine.value - rough.value) < 3.0
    early = curve_of(curves[40][:1])  # no coarse curve has an observation yet
    assert RemainingGain().forecast(early, seen_by(NOBODY, coarse)) == BestSoFar().forecast(early)


accuracies_of_any_kind = st.lists(
    st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 10.0, 99.9, 100.0])), min_size=1, max_size=6
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    others=st.lists(accuracies_of_any_kind, min_size=4, max_size=9),
    accuracies=accuracies_of_any_kind,
    losses=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=6, max_size=6),
)
def test_any_curve_has_a_forecast_in_range(
    others: list[list[float]], accuracies: list[float], losses: list[float]
) -> None:
    history = History(
        event for number, row in enumerate(others) for event in events_of(number, row, train_loss=losses)
    )
    curve = curve_of(accuracies, train_loss=losses)
    forecast = RemainingGain(min_finished=4).forecast(curve, seen_by(NOBODY, history))
    assert forecast is not None
    low, high = forecast.interval_90
    assert max(accuracies) <= low <= forecast.value <= high <= 100.0
    assert 0.0 <= forecast.spread <= 100.0
    assert forecast == RemainingGain(min_finished=4).forecast(curve, seen_by(NOBODY, History(history.events)))


def test_alike_curves_leave_no_doubt() -> None:
    known = finished([[10.0, 20.0, 30.0, 40.0]] * 12)
    forecast = RemainingGain().forecast(curve_of([10.0, 20.0]), seen_by(NOBODY, known))
    assert forecast is not None
    assert (forecast.value, forecast.spread) == pytest.approx((40.0, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_finished": 3}, "min_finished = 3 must be a whole number, 4 or more"),
        ({"penalty": 0.0}, "penalty = 0.0 must be a finite number above 0"),
    ],
)
def test_remaining_gain_refuses_what_can_not_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RemainingGain(**settings)


# --- sequential regression


def mean_error_and_coverage(forecaster: Forecaster, curves: Array, *, known: int) -> tuple[float, float]:
    """At a quarter of the budget, of the curves after the first `known`, which are finished."""
    history, covered, errors = finished(curves[:known]), [], []
    for accuracies in curves[known:]:
        forecast = forecaster.forecast(curve_of(accuracies[: len(accuracies) // 4]), seen_by(NOBODY, history))
        assert forecast is not None
        low, high = forecast.interval_90
        errors.append(abs(forecast.value - max(accuracies)))
        covered.append(low <= max(accuracies) <= high)
    return float(np.mean(errors)), float(np.mean(covered))


@pytest.mark.parametrize("regression", Regression)
def test_every_regression_beats_best_so_far_at_a_quarter_of_the_budget(
    regression: Regression, test_data: Path
) -> None:
    curves = lemur(test_data, "cifar-10")[:180]
    seen = curves[100:, :12].max(axis=1)
    forecaster = SequentialRegression(
        regression=regression, hyperparameters=Hyperparameters(num_trees=20), min_finished=100
    )
    error, coverage = mean_error_and_coverage(forecaster, curves, known=100)
    assert error < 0.7 * np.mean(curves[100:].max(axis=1) - seen)
    assert 0.8 <= coverage <= 0.98


def test_sequential_regression_learns_again_only_when_there_is_a_fifth_more(test_data: Path) -> None:
    curves = lemur(test_data, "mnist")
    curve, forecaster = curve_of(curves[60][:10]), SequentialRegression()
    history, made = finished(curves[:19]), []
    assert forecaster.forecast(curve, seen_by(60, history)) == BestSoFar().forecast(curve)
    for number in range(19, 25):
        for event in events_of(number, curves[number]):
            history.apply(event)
        made.append(forecaster.forecast(curve, seen_by(60, history)))
        assert made[-1] == forecaster.forecast(curve, seen_by(60, History(history.events)))
    assert made[0] == made[1] == made[2] == made[3] != made[4] == made[5]


def test_what_candidates_are_described_by_is_learned_from(test_data: Path) -> None:
    curves = lemur(test_data, "mnist")[:80]
    plain, told = finished(curves[:40]), finished(curves[:40])
    forecaster = SequentialRegression()
    for number, accuracies in enumerate(curves):  # an oracle among the features
        told.describe(number, (("layers", 3.0), ("outcome", float(max(accuracies)))))
    errors = []
    for history in (plain, told):
        forecasts = [
            forecaster.forecast(curve_of(curves[number][:2]), seen_by(number, history))
            for number in range(40, 80)
        ]
        errors.append(
            np.mean([abs(f.value - max(c)) for f, c in zip(forecasts, curves[40:], strict=True) if f])
        )
    assert errors[1] < 0.8 * errors[0]
    partly = finished(curves[:40])
    partly.describe(0, (("outcome", 1.0),))
    partly.describe(50, (("outcome", 1.0),))
    curve = curve_of(curves[50][:2])
    assert forecaster.forecast(curve, seen_by(50, partly)) == forecaster.forecast(curve, seen_by(50, plain))


def test_a_description_is_given_once() -> None:
    history = History()
    assert history.features_of(3) == ()
    history.describe(3, (("layers", 2.0),))
    history.describe(3, (("layers", 2.0),))
    assert history.features_of(3) == (("layers", 2.0),)
    assert (history.version, len(history)) == (0, 0)
    with pytest.raises(ValueError, match="candidate 3 has been described as"):
        history.describe(3, (("layers", 3.0),))
    with pytest.raises(ValueError, match="each once, with a finite value"):
        history.describe(4, (("layers", math.nan),))
    with pytest.raises(ValueError, match="each once, with a finite value"):
        history.describe(4, (("layers", 1.0), ("layers", 1.0)))


def test_features_are_accuracies_with_first_and_second_differences() -> None:
    curves = [curve_of([10.0, 20.0, 40.0, 5.0]), curve_of([30.0, 50.0], step=2.0)]
    epochs = np.array([1.0, 2.0, 3.0])
    lessons = lessons_of(
        curves, epochs, described=[(("a", 1.0), ("b", 2.0)), (("b", 4.0), ("a", 3.0))], names=("b",)
    )
    assert lessons.features.tolist() == [
        [10.0, 20.0, 40.0, 10.0, 20.0, 10.0, 2.0],
        [30.0, 30.0, 30.0, 0.0, 0.0, 0.0, 4.0],
    ]
    assert lessons.accuracies.tolist() == [40.0, 50.0]
    assert curve_row(curves[1]).tolist() == [[30.0, 50.0, 20.0]]


def test_tuning_is_never_worse_than_the_defaults_and_repeats_itself(test_data: Path) -> None:
    curves = [curve_of(accuracies) for accuracies in lemur(test_data, "imagenette")[:30]]
    search = functools.partial(tune, curves, length=12, regression=Regression.NUSVR_RBF, num_trials=40)
    found = search(seed=1)
    assert found == search(seed=1)
    lessons = lessons_of(curves, curves[0].epochs[:12])

    def error(values: Hyperparameters) -> float:
        rows = lessons.features, lessons.accuracies
        residuals = fold_residuals(Regression.NUSVR_RBF, *rows, hyperparameters=values, num_folds=3)
        return float(np.mean(residuals**2))

    assert error(found) < error(Hyperparameters())
    assert tune(curves, length=12, regression=Regression.OLS) == Hyperparameters()


def test_spread_by_leaving_one_out_is_like_that_by_folds(test_data: Path) -> None:
    curves = [curve_of(accuracies) for accuracies in lemur(test_data, "imagenette")[:60]]
    settings = {"regression": Regression.NUSVR_RBF, "hyperparameters": Hyperparameters()}
    model = fit_length(lessons_of(curves, curves[0].epochs[:12]), **settings)
    assert model.spread == pytest.approx(leave_one_out_spread(curves, length=12, **settings), rel=0.15)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    others=st.lists(accuracies_of_any_kind, min_size=4, max_size=9),
    accuracies=accuracies_of_any_kind,
    regression=st.sampled_from([Regression.NUSVR_RBF, Regression.NUSVR_LINEAR, Regression.OLS]),
)
def test_any_curve_has_a_regression_in_range(
    others: list[list[float]], accuracies: list[float], regression: Regression
) -> None:
    history = finished(others)
    forecaster = SequentialRegression(regression=regression, min_finished=4)
    forecast = forecaster.forecast(curve_of(accuracies), seen_by(NOBODY, history))
    assert forecast is not None
    assert max(accuracies) <= forecast.value <= 100.0
    assert 0.0 <= forecast.spread < math.inf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nu": 1.5}, r"nu = 1\.5 must be a share, 1 or less"),
        ({"rbf_cost": 0.0}, r"rbf_cost = 0\.0 must be a finite number above 0"),
        ({"num_trees": 0}, r"num_trees = 0 must be a whole number, 1 or more"),
    ],
)
def test_hyperparameters_refuse_what_can_not_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hyperparameters(**settings)


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
        (Signal.BEST, 0.1, 35.0),
        (Signal.TRAIN_LOSS, 0.1, 40.0),  # lowest loss: the highest accuracy of all four after an epoch
        (Signal.TRAIN_LOSS, 5.0, 20.0),
        (Signal.TRAIN_LOSS, 1.5, 20.0 + 10.0),  # a third of the others is worse
        (Signal.BLEND, 0.1, 37.5),  # ranks 1 and 2/3
        (Signal.BLEND, math.nan, 35.0),
        (Signal.BLEND, math.inf, 35.0),
    ],
)
def test_a_training_loss_is_told_as_the_accuracy_at_its_rank(
    signal: Signal, loss: float, value: float
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
    forecast = RankedSignal(signal=Signal.TRAIN_LOSS).forecast(rarely, seen_by(9, history))
    assert forecast is not None
    assert forecast.value == 10.0  # below the only other one


def test_i_epoch_ranks_by_the_signal_that_is_named() -> None:
    assert preset("i-epoch", max_epochs=20).forecaster == BestSoFar()
    blend = preset("i-epoch", max_epochs=20, epochs=2, signal="blend")
    assert blend.forecaster == RankedSignal(signal=Signal.BLEND)
    engine = Engine(blend, history=rivals(), candidate=9)
    assert not engine.observe(1.0, val_accuracy=35.0, train_loss=0.1).stop
    decision = engine.observe(2.0, val_accuracy=35.0, train_loss=0.1)
    assert decision.stop
    assert decision.estimate == pytest.approx(40.0)  # ranks 1/3 and 1
    with pytest.raises(ValueError, match="signal = 'loss' must be one of best, train_loss, blend"):
        preset("i-epoch", max_epochs=20, signal="loss")
