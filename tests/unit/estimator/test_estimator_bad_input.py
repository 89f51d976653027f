"""Bad input and odd curves: clear refusals and clear values, never a crash, never "converged" by mistake."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from estimator import (
    Action,
    Decision,
    Ended,
    Engine,
    Event,
    History,
    InvalidObservation,
    MirroredHistory,
    Observed,
    Reason,
    Standing,
    preset,
    presets,
)

NAMES = [*presets(), "any(patience, rungs)", "after(3, median)"]
SOCIABLE = [name for name in NAMES if not preset(name, max_epochs=20).alone]
LOOKS_FOR_CONVERGENCE = ["peng4nn", "peng4nn-listing", "penguin", "a4nn", "peng4nn-fast"]
CHEAP = ["patience:patience_epochs=1000", "rungs", "asha"]


def engine_of(name: str, *, history: History | None = None, max_epochs: float = 20.0) -> Engine:
    chosen = preset(name, max_epochs=max_epochs, epochs_per_interval=1, chance_accuracy=10.0)
    return Engine(chosen, history=history, candidate=99)


def follow(engine: Engine, accuracies: Iterable[float], **losses: float) -> list[Decision]:
    return [
        engine.observe(epoch, val_accuracy=accuracy, **losses)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


def finished(curves: dict[int, list[float]]) -> list[Event]:
    events: list[Event] = []
    for number, accuracies in curves.items():
        for epoch, accuracy in enumerate(accuracies, start=1):
            events.append(Observed(candidate=number, epoch=epoch, val_accuracy=accuracy))
        events.append(Ended(candidate=number, standing=Standing.FINISHED))
    return events


# --- what is no observation


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("epoch", "accuracy", "message"),
    [
        (4, math.nan, "val_accuracy = nan is not finite; a network that gives it has failed, end it"),
        (4, math.inf, "val_accuracy = inf is not finite"),
        (4, 100.5, r"val_accuracy = 100.5 is outside 0..100 percent"),
        (4, -0.5, r"val_accuracy = -0.5 is outside 0..100 percent"),
        (3, 50.0, "epoch = 3 does not come after the last observation, at 3"),
        (2, 50.0, "epoch = 2 does not come after the last observation, at 3"),
        (math.nan, 50.0, "epoch = nan must be finite and above 0"),
        (-1, 50.0, "epoch = -1.0 must be finite and above 0"),
    ],
)
def test_what_can_not_be_observed_is_refused_and_training_can_go_on(
    name: str, epoch: float, accuracy: float, message: str
) -> None:
    engine = engine_of(name)
    before = follow(engine, [20, 30, 40])
    with pytest.raises(InvalidObservation, match=message):
        engine.observe(epoch, val_accuracy=accuracy)
    assert (len(engine.curve), len(engine.forecasts)) == (3, 3)
    assert [decision.stop for decision in before] == [engine.decision is not None and d.stop for d in before]
    engine.observe(4, val_accuracy=50)
    untroubled = engine_of(name)
    follow(untroubled, [20, 30, 40, 50])
    assert repr((engine.decision, engine.forecasts)) == repr((untroubled.decision, untroubled.forecasts))


@pytest.mark.parametrize("name", NAMES)
def test_fractions_are_refused_with_a_hint_before_anything_is_stopped(name: str) -> None:
    engine = engine_of(name)
    decisions = follow(engine, [0.31, 0.52])
    with pytest.raises(InvalidObservation, match=r"these look like fractions; give percent, 0\.\.100"):
        engine.observe(3, val_accuracy=0.6)
    assert not any(decision.reason is Reason.CONVERGED for decision in decisions)


# --- odd curves


@pytest.mark.parametrize("name", LOOKS_FOR_CONVERGENCE)
def test_a_constant_curve_at_chance_is_a_legitimate_stop(name: str) -> None:
    engine = engine_of(name)
    follow(engine, [10.0] * 19)
    assert engine.decision is not None
    assert engine.decision.reason is Reason.NEVER_LEARN


@pytest.mark.parametrize("name", LOOKS_FOR_CONVERGENCE)
def test_a_constant_curve_above_chance_has_converged(name: str) -> None:
    engine = engine_of(name)
    follow(engine, [70.0] * 19)
    assert engine.decision is not None
    assert engine.decision.reason is Reason.CONVERGED
    assert engine.decision.estimate == pytest.approx(70.0, abs=1.01)  # flat: the asymptote is free by a point


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "accuracies",
    [
        [95.0 - 5 * n for n in range(9)],
        [90.0] * 4 + [5.0] * 5,
        [0.0] * 9,
        [100.0] * 9,
        [0.0, 100.0] * 4,
        [2.0] * 8 + [99.0],
    ],
)
def test_curves_that_fall_jump_or_stand_still_get_whole_answers(name: str, accuracies: list[float]) -> None:
    for decision in follow(engine_of(name), accuracies):
        assert decision.forecast is None or math.isfinite(decision.forecast.value)
        assert math.isfinite(decision.estimate) == (decision.action is not Action.GO)


@pytest.mark.parametrize("name", NAMES)
def test_two_points_never_converge(name: str) -> None:
    decisions = follow(engine_of(name), [70.0, 70.0])
    assert not any(decision.reason in (Reason.CONVERGED, Reason.NEVER_LEARN) for decision in decisions)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_no_reason_to_stop(name: str, loss: float) -> None:
    rising = [80 - 60 * 0.8**n for n in range(9)]
    decisions = follow(engine_of(name), rising, train_loss=loss, val_loss=loss)
    without = follow(engine_of(name), rising)
    assert repr([decision.action for decision in decisions]) == repr([d.action for d in without])
    menndl = engine_of("menndl:patience_epochs=2")
    follow(menndl, rising, train_loss=loss)
    assert menndl.decision is None


@pytest.mark.parametrize("name", NAMES)
def test_a_single_observation_at_or_beyond_the_full_budget_is_the_end(name: str) -> None:
    for epoch in (20, 1000):
        engine = engine_of(name)
        assert engine.observe(epoch, val_accuracy=50.0).action is Action.GO
        assert engine.conclude().value == 50.0
        assert engine.history.members[99].standing is Standing.FINISHED


@pytest.mark.parametrize("name", CHEAP)
def test_a_hundred_thousand_points_are_followed(name: str) -> None:
    engine = engine_of(name, max_epochs=2e5)
    num_paused = 0
    for epoch in range(1, 100_001):
        decision = engine.observe(epoch, val_accuracy=100 - 50_000 / (epoch + 520), train_loss=1 / epoch)
        num_paused += decision.pause
    assert len(engine.curve) == 100_000
    assert engine.decision is None
    assert num_paused == (11 if name == "asha" else 0)  # at 1, 3, ..., 3 ** 10
    assert engine.conclude().value == pytest.approx(99.5, abs=0.01)


# --- odd populations


@pytest.mark.parametrize("name", SOCIABLE)
def test_a_population_that_never_learns_judges_a_newcomer_all_the_same(name: str) -> None:
    flat = {number: [10.0] * 20 for number in range(16)}
    learns = follow(
        engine_of(name, history=MirroredHistory(finished(flat))), [80 - 60 * 0.7**n for n in range(19)]
    )
    stopped = next((decision for decision in learns if decision.stop), None)
    assert stopped is None or stopped.reason in (Reason.CONVERGED, Reason.BUDGET)
    follow(engine_of(name, history=MirroredHistory(finished(flat))), [10.0] * 19)
    history = History(finished(flat))
    for number in range(20, 26):
        chosen = preset(name, max_epochs=20, epochs_per_interval=1, chance_accuracy=10.0)
        follow(Engine(chosen, history=history, candidate=number), [10.0] * 20)
    assert len(history) == 22


@pytest.mark.parametrize("name", SOCIABLE)
@pytest.mark.parametrize("only", [[60.0] * 20, [80 - 60 * 0.7**n for n in range(20)], [60.0]])
def test_one_finished_curve_is_company_enough_or_none(name: str, only: list[float]) -> None:
    for accuracies in ([5.0] * 19, [90 - 60 * 0.7**n for n in range(19)], [60.0, 61.0]):
        engine = engine_of(name, history=MirroredHistory(finished({0: only})))
        for decision in follow(engine, accuracies):
            assert decision.forecast is None or math.isfinite(decision.forecast.value)


@pytest.mark.parametrize("name", SOCIABLE)
def test_others_on_other_grids_are_no_obstacle(name: str) -> None:
    events: list[Event] = []
    for number in range(14):
        step = (0.3, 1.0, 2.5, 7.0)[number % 4]
        for index in range(1, int(20 / step) + 1):
            events.append(
                Observed(candidate=number, epoch=step * index, val_accuracy=50 + number - 40 * 0.9**index)
            )
        events.append(Ended(candidate=number, standing=Standing.FINISHED))
    events.append(Ended(candidate=70, standing=Standing.STOPPED))  # stopped before its first observation
    events.append(Ended(candidate=71, standing=Standing.PAUSED))
    engine = engine_of(name, history=MirroredHistory(events))
    for decision in follow(engine, [50 - 40 * 0.85**n for n in range(19)]):
        assert decision.forecast is None or math.isfinite(decision.forecast.value)
