"""Rules of thumb: patience on one's own curve, and the median of the others'."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import (
    Action,
    Curve,
    Decision,
    Ended,
    Engine,
    Event,
    History,
    InvalidObservation,
    MirroredHistory,
    Observed,
    Population,
    Reason,
    Standing,
    preset,
)
from estimator.rules.epoch_index import accuracies_at

COUNTED = (Standing.RUNNING, Standing.PAUSED, Standing.STOPPED, Standing.FINISHED)


def follow(engine: Engine, accuracies: Sequence[float], *, interval: float = 1.0) -> list[Decision]:
    return [
        engine.observe(interval * number, val_accuracy=accuracy)
        for number, accuracy in enumerate(accuracies, start=1)
    ]


def stop_index(decisions: Sequence[Decision]) -> int | None:
    return next((index for index, decision in enumerate(decisions) if decision.stop), None)


# --- patience


def test_patience_stops_when_the_best_has_not_risen_for_so_long() -> None:
    engine = Engine(preset("patience", max_epochs=20, patience_epochs=3))
    decisions = follow(engine, [10, 50, 40, 45, 49, 60])
    assert [decision.stop for decision in decisions] == [False, False, False, False, True, True]
    first = decisions[4]
    assert (first.reason, first.estimate) == (Reason.CONVERGED, 50.0)
    assert math.isnan(first.spread)
    assert first.numbers == (("gain", 0.0),)


def test_patience_is_counted_in_epochs_not_observations() -> None:
    decisions = follow(
        Engine(preset("patience", max_epochs=20, patience_epochs=3)), [50] + [40] * 9, interval=0.5
    )
    assert stop_index(decisions) == 6  # at epoch 3.5, three epochs after 0.5
    engine = Engine(preset("patience", max_epochs=20, patience_epochs=0.6))
    engine.observe(0.1, val_accuracy=50.0)
    assert engine.observe(0.7, val_accuracy=50.0).stop  # although 0.7 - 0.6 is less than 0.1


@pytest.mark.parametrize(
    ("min_delta", "accuracies", "expected"),
    [
        (0.0, [50, 50.01, 50.02, 50.03, 50.04], None),  # whatever rises is followed
        (0.5, [50, 50.1, 50.2, 50.3, 50.4], 2),
        (0.5, [50, 50.5, 51.0, 51.5, 52.0], None),
        (1.0, [50, 50.5, 51.0, 51.5, 52.0], 2),  # by no more than min_delta
        (0.0, [90, 80, 70, 60, 50], 2),  # a curve that falls
    ],
)
def test_patience_wants_more_than_min_delta(
    min_delta: float, accuracies: list[float], expected: int | None
) -> None:
    engine = Engine(preset("patience", max_epochs=20, patience_epochs=2, min_delta=min_delta))
    assert stop_index(follow(engine, accuracies)) == expected


def test_patience_never_stops_a_curve_shorter_than_itself() -> None:
    assert stop_index(follow(Engine(preset("patience", max_epochs=20)), [50.0] * 5)) is None
    assert stop_index(follow(Engine(preset("patience", max_epochs=20)), [50.0] * 6)) == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"patience_epochs": 0}, "patience_epochs = 0 must be"), ({"min_delta": -1}, "min_delta = -1 must be")],
)
def test_patience_that_can_not_be_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"preset patience: {message}"):
        preset("patience", max_epochs=20, **settings)


# --- the median


def history_of(curves: dict[int, Sequence[float]], *, standing: Standing = Standing.STOPPED) -> History:
    events: list[Event] = []
    for number, accuracies in curves.items():
        for epoch, accuracy in enumerate(accuracies, start=1):
            events.append(Observed(candidate=number, epoch=float(epoch), val_accuracy=accuracy))
        events.append(Ended(candidate=number, standing=standing))
    return History(events)


FIVE = {1: [10, 30, 50], 2: [20, 40, 60], 3: [30, 50, 70], 4: [40, 60, 80], 5: [50, 70, 90]}
"""Running averages after two epochs: 20, 30, 40, 50, 60; bests: 30 to 70."""


def judge(
    accuracies: Sequence[float], history: History, *, candidate: int = 9, **settings: float | str
) -> Decision:
    engine = Engine(preset("median", max_epochs=20, **settings), history=history, candidate=candidate)
    return follow(engine, accuracies)[-1]


def test_what_is_below_the_median_of_running_averages_is_stopped() -> None:
    decision = judge([35, 39.9], history_of(FIVE), min_epochs=2)
    assert (decision.action, decision.reason, decision.estimate) == (
        Action.STOP,
        Reason.UNLIKELY_BEST,
        39.9,
    )
    assert decision.numbers == (("median", 40.0), ("num_curves", 5.0))
    assert decision.version == 21


def test_what_equals_the_median_goes_on() -> None:
    decision = judge([35, 40.0], history_of(FIVE), min_epochs=2)
    assert (decision.stop, decision.numbers) == (False, (("median", 40.0), ("num_curves", 5.0)))


def test_the_best_so_far_is_compared_not_the_latest() -> None:
    assert not judge([45, 1.0], history_of(FIVE), min_epochs=2).stop


def test_the_others_may_be_compared_by_their_best() -> None:
    assert judge([35, 49.9], history_of(FIVE), min_epochs=2, against="best").stop
    assert not judge([35, 50.0], history_of(FIVE), min_epochs=2, against="best").stop
    assert not judge([35, 49.9], history_of(FIVE), min_epochs=2, against="average").stop


def test_nobody_is_stopped_before_min_epochs_or_with_too_few_others() -> None:
    assert not judge([1, 1], history_of(FIVE), min_epochs=2.5).stop
    assert not judge([1, 1], history_of(FIVE), min_curves=6).stop
    few = {number: FIVE[number][: 1 if number == 5 else 3] for number in FIVE}
    assert judge([1], history_of(few)).stop
    assert not judge([50, 1], history_of(few)).stop  # only four have reached the second epoch
    assert not judge([1, 1], History()).stop


@pytest.mark.parametrize("standing", [Standing.LOST, Standing.FAILED])
def test_lost_and_failed_candidates_do_not_count(standing: Standing) -> None:
    assert not judge([1, 1], history_of(FIVE, standing=standing), min_curves=1).stop


@pytest.mark.parametrize("standing", COUNTED)
def test_all_that_have_a_curve_count(standing: Standing) -> None:
    assert judge([1], history_of(FIVE, standing=standing)).stop


def test_a_candidate_is_not_compared_with_itself() -> None:
    history = history_of(FIVE)
    history.apply(Ended(candidate=1, standing=Standing.LOST))
    assert not judge([10, 10], history, candidate=1, min_curves=5).stop
    assert judge([1], history_of(FIVE), min_curves=5, candidate=0).stop
    mirror = MirroredHistory(history_of(FIVE | {9: [1, 1]}).events)  # it has heard of this observation before
    assert judge([35, 39], mirror).numbers == (("median", 40.0), ("num_curves", 5.0))


def test_falling_behind_a_growing_population_stops_a_running_candidate() -> None:
    history = History()
    engines = [
        Engine(preset("median", max_epochs=20, min_curves=3), history=history, candidate=number)
        for number in range(4)
    ]
    stopped = []
    for epoch in (1, 2, 3, 4):
        for number, engine in enumerate(engines):
            if engine.decision is None and engine.observe(epoch, val_accuracy=10.0 + number * epoch).stop:
                stopped.append((number, epoch))
    assert stopped == []  # the worst is always first to arrive, and never meets three others there
    late = Engine(preset("median", max_epochs=20, min_curves=3), history=history, candidate=9)
    assert [decision.stop for decision in follow(late, [12.0, 12.25, 12.5])] == [False, False, True]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_epochs": -1}, "min_epochs = -1 must be"),
        ({"min_curves": 0}, "min_curves = 0 must be a whole number, 1 or more"),
        ({"against": "mean"}, "against = 'mean' must be one of average, best"),
    ],
)
def test_a_median_that_can_not_be_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"preset median: {message}"):
        preset("median", max_epochs=20, **settings)


# --- the index behind it

events = st.lists(
    st.one_of(
        st.builds(
            Observed,
            candidate=st.integers(0, 3),
            epoch=st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 4.5]),
            val_accuracy=st.floats(0.0, 100.0),
        ),
        st.builds(Ended, candidate=st.integers(0, 3), standing=st.sampled_from(Standing)),
        st.sampled_from([0.5, 1.0, 2.0, 2.5, 4.0]),  # an epoch that is asked for
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(events=events)
def test_progress_at_an_epoch_is_that_of_the_curves(events: Sequence[Event | float]) -> None:
    history = History()
    for event in events:
        if not isinstance(event, float):
            try:
                history.apply(event)
            except InvalidObservation:
                continue
            continue
        expected = {}
        for member in Population(history=history).others:
            reached = np.flatnonzero(member.curve.epochs >= event)
            if len(reached):
                accuracies = member.curve.val_accuracy[: reached[0] + 1]
                expected[member.candidate] = (accuracies.max(), accuracies.mean())
        assert accuracies_at(event, history) == expected


def test_an_empty_curve_has_reached_nothing() -> None:
    history = History([Ended(candidate=0, standing=Standing.STOPPED)])
    assert isinstance(history.members[0].curve, Curve)
    assert accuracies_at(1.0, history) == {}
