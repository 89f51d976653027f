"""What the remaining-gain regression learns from finished curves: recorded ones, and strange ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_helpers import (
    NOBODY,
    a4nn,
    accuracies_of_any_kind,
    curve_of,
    events_of,
    finished,
    lemur,
    random_cnns,
    seen_by,
)

from estimator import History, Observed, Standing
from estimator.forecasters import (
    BestSoFar,
    LastValue,
    RemainingGain,
)


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


def test_nor_is_it_when_training_goes_on_past_the_full_budget(test_data: Path) -> None:
    curves = lemur(test_data, "cifar-10")
    known = finished(curves[:13])
    curve = curve_of(curves[12][:10])
    alone = RemainingGain().forecast(curve, seen_by(NOBODY, finished(curves[:12])))
    assert RemainingGain().forecast(curve, seen_by(12, known)) == alone
    known.apply(Observed(candidate=12, epoch=51, val_accuracy=90.0))
    assert RemainingGain().forecast(curve, seen_by(12, known)) == alone


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
