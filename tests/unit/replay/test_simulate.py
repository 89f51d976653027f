"""Simulation: trainers, pauses and resumes, one history; and that nothing but the history matters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from estimator import (
    Decision,
    Ended,
    Engine,
    History,
    Observed,
    Population,
    Preset,
    Promotion,
    Resumed,
    Standing,
    preset,
)
from estimator.curve import Curve
from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.simulate import Simulation, replay_alone
from hpc_nas.replay.values import Replayed
from hpc_nas.values import Reason
from tests.unit.replay.replay_helpers import PromoteBest, curve_set, pausing_preset, random_set

FOUR = curve_set([[10, 20, 30, 40], [11, 22, 33, 44], [5, 6, 7, 8], [12, 21, 29, 41]])


def simulated(curves: CurveSet, made: Preset, *, num_trainers: int = 1) -> tuple[Simulation, list[Replayed]]:
    simulation = Simulation(curves, made, order=range(len(curves)), num_trainers=num_trainers)
    return simulation, list(simulation.run().candidates)


def seen(simulation: Simulation) -> list[tuple[int, float]]:
    """Which candidate was observed at which of its epochs, in the order of the history."""
    return [
        (event.candidate, event.epoch) for event in simulation.history.events if isinstance(event, Observed)
    ]


def test_one_trainer_takes_one_candidate_after_the_other() -> None:
    simulation, candidates = simulated(FOUR, preset("i-epoch", max_epochs=4, epochs_per_interval=1, epochs=2))
    assert seen(simulation) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]
    assert [(item.id, item.stop_epoch, item.estimate, item.reason) for item in candidates] == [
        ("a", 2.0, 20.0, Reason.BUDGET),
        ("b", 2.0, 22.0, Reason.BUDGET),
        ("c", 2.0, 6.0, Reason.BUDGET),
        ("d", 2.0, 21.0, Reason.BUDGET),
    ]
    assert {item.num_decisions for item in candidates} == {2}


def test_the_order_says_who_starts_first_and_who_has_which_number() -> None:
    simulation = Simulation(FOUR, preset("none", max_epochs=4, epochs_per_interval=1), order=[3, 1, 0, 2])
    candidates = simulation.run().candidates
    assert simulation.history.members[0].curve.best_accuracy == 41.0
    assert [item.id for item in candidates] == ["a", "b", "c", "d"]
    assert [item.index for item in candidates] == [0, 1, 2, 3]
    assert [item.estimate for item in candidates] == [40.0, 44.0, 8.0, 41.0]
    assert {(item.reason, item.spread, item.stop_epoch) for item in candidates} == {
        (Reason.FULL_BUDGET, 0.0, 4.0)
    }
    assert not any(item.stopped for item in candidates)


def test_several_trainers_take_turns_and_ties_go_to_the_lowest_trainer() -> None:
    made = preset("i-epoch", max_epochs=4, epochs_per_interval=1, epochs=2)
    simulation, _ = simulated(FOUR, made, num_trainers=3)
    assert seen(simulation) == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (3, 1), (3, 2)]


def test_uneven_epochs_are_the_clock() -> None:
    curves = curve_set([[1, 2, 3], [4, 5, 6]], epochs=[1.0, 4.0, 5.0], max_epochs=5.0)
    shorter = preset("after(2, i-epoch)", max_epochs=5, epochs_per_interval=1)
    simulation, _ = simulated(curves, shorter, num_trainers=2)
    assert seen(simulation) == [(0, 1), (1, 1), (0, 4), (1, 4)]


def test_paused_candidates_go_on_where_they_were_and_the_rest_is_settled() -> None:
    simulation, candidates = simulated(FOUR, pausing_preset())
    assert seen(simulation)[:8] == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]
    assert seen(simulation)[8:] == [(1, 3), (1, 4)]
    assert [(item.stop_epoch, item.estimate, item.num_pauses, item.reason) for item in candidates] == [
        (2.0, 20.0, 1, Reason.RUNG),
        (4.0, 44.0, 1, Reason.FULL_BUDGET),
        (2.0, 6.0, 1, Reason.RUNG),
        (2.0, 21.0, 1, Reason.RUNG),
    ]
    assert sum(item.stop_epoch for item in candidates) == len(seen(simulation))
    standings = [simulation.history.members[number].standing for number in range(4)]
    assert standings == [Standing.STOPPED, Standing.FINISHED, Standing.STOPPED, Standing.STOPPED]
    assert candidates[0].version == simulation.history.version - 3


@pytest.mark.parametrize("num_trainers", [1, 2])
def test_the_history_says_who_is_resumed_and_that_nobody_ended_by_it(num_trainers: int) -> None:
    simulation, candidates = simulated(FOUR, pausing_preset(), num_trainers=num_trainers)
    events = simulation.history.events
    resumed = [event.candidate for event in events if isinstance(event, Resumed)]
    assert sorted(resumed) == ([1] if num_trainers == 1 else [0, 1, 3])
    for number in resumed:
        own = [event for event in events if event.candidate == number]
        at = own.index(Resumed(candidate=number))
        assert own[at - 1] == Ended(candidate=number, standing=Standing.PAUSED)
        assert isinstance(own[at + 1], Observed)
    num_pauses = sum(item.num_pauses for item in candidates)
    assert simulation.history.num_ended == num_pauses + len(candidates)


def test_a_resumed_candidate_is_not_given_to_a_second_trainer() -> None:
    simulation, candidates = simulated(FOUR, pausing_preset(), num_trainers=2)
    assert sorted(seen(simulation)[8:]) == [(0, 3), (1, 3), (1, 4), (3, 3)]
    assert [item.reason for item in candidates] == [
        Reason.UNLIKELY_BEST,  # promoted once candidate d had left its trainer
        Reason.FULL_BUDGET,
        Reason.RUNG,
        Reason.UNLIKELY_BEST,
    ]


def test_more_trainers_than_candidates_is_no_problem() -> None:
    simulation, candidates = simulated(FOUR, pausing_preset(), num_trainers=9)
    assert len(candidates) == 4
    assert len(seen(simulation)) == sum(item.stop_epoch for item in candidates)


@pytest.mark.parametrize("num_trainers", [1, 3])
@pytest.mark.parametrize("text", ["asha", "rungs", "median", "prob-top", "adaptive-fast", "hyperband"])
def test_a_replay_is_deterministic_and_accounts_for_every_epoch(text: str, num_trainers: int) -> None:
    curves = random_set(16)
    made = preset(text, max_epochs=12, epochs_per_interval=1)
    first, candidates = simulated(curves, made, num_trainers=num_trainers)
    second, again = simulated(curves, made, num_trainers=num_trainers)
    assert first.history.events == second.history.events
    assert list(map(repr, candidates)) == list(map(repr, again))  # NaN equals itself as text
    assert len(candidates) == len(curves)
    assert sum(item.stop_epoch for item in candidates) == len(seen(first))
    assert not first.history.those(Standing.RUNNING, Standing.PAUSED)


@pytest.mark.parametrize("num_trainers", [1, 3])
@pytest.mark.parametrize("text", ["asha", "median", "prob-top", "adaptive", "any(peng4nn-fast, median)"])
def test_every_decision_follows_from_the_history_that_it_names(text: str, num_trainers: int) -> None:
    curves = random_set(10)
    made = preset(text, max_epochs=12, epochs_per_interval=1)
    simulation, candidates = simulated(curves, made, num_trainers=num_trainers)
    events = simulation.history.events
    ends = {result.index: result for result in candidates}
    for number, result in ends.items():
        last = decisions_from_the_history(events, made, number=number)
        if result.reason is Reason.FULL_BUDGET:
            assert all(decision.stop is False for _, decision in last)
        elif last[-1][1].stop:
            version, decision = last[-1]
            assert (version, decision.estimate) == (result.version, result.estimate)
            assert str(decision.reason) == result.reason
        else:
            assert last[-1][1].pause
            settled = made.promotion.settle(History(events[: result.version]))[number]
            assert settled.estimate == result.estimate
        pauses = [version for version, decision in last if decision.pause]
        assert len(pauses) == result.num_pauses
        for version in pauses:
            assert events[version + 1] == Ended(candidate=number, standing=Standing.PAUSED)


def decisions_from_the_history(
    events: tuple[object, ...], made: Preset, *, number: int
) -> list[tuple[int, Decision]]:
    """Each decision on one candidate, made anew from nothing but the events before it."""
    curve, forecasts, decisions = Curve(), [], []
    for version, event in enumerate(events):
        if not isinstance(event, Observed) or event.candidate != number:
            continue
        curve.append(event.epoch, val_accuracy=event.val_accuracy, train_loss=event.train_loss)
        population = Population(history=History(events[:version]), candidate=number)  # type: ignore[arg-type]
        forecasts.append(made.forecaster.forecast(curve, population))
        if event.epoch < made.max_epochs:
            decisions.append((version, made.rule.decide(curve, forecasts, population)))
    return decisions


# --- rules that look at one curve alone ----------------------------------------------------------------------


def test_curves_alone_give_what_the_simulation_gives() -> None:
    curves = random_set(10)
    texts = ["peng4nn-fast", "peng4nn-fast:window=4", "peng4nn-fast:tolerance=2.0"]
    made = [preset(text, max_epochs=12, epochs_per_interval=1) for text in texts]
    together = replay_alone(curves, made)
    for one, found in zip(made, together, strict=True):
        _, candidates = simulated(curves, one, num_trainers=3)
        assert [repr(replace(item, version=0)) for item in found.candidates] == [
            repr(replace(item, version=0)) for item in candidates
        ]
    assert len({replay.epochs for replay in together}) == 3


def test_no_forecast_is_made_twice_nor_after_the_last_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = random_set(3)
    made = [
        preset(text, max_epochs=12, epochs_per_interval=1)
        for text in ("peng4nn-fast", "peng4nn-fast:window=5")
    ]
    asked: list[tuple[float, int]] = []
    forecaster = type(made[0].forecaster)
    real = forecaster.forecast

    def counted(self: object, curve: Curve, *others: object) -> object:
        asked.append((float(curve.val_accuracy[0]), len(curve)))
        return real(self, curve, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(forecaster, "forecast", counted)
    replays = replay_alone(curves, made)
    latest = [
        max(replay.candidates[index].num_decisions for replay in replays) for index in range(len(curves))
    ]
    assert len(asked) == len(set(asked)) == sum(latest)


def test_the_interval_is_that_of_the_forecast_it_was_stopped_on() -> None:
    curves = random_set(10)
    made = preset("peng4nn-fast", max_epochs=12, epochs_per_interval=1)
    (replay,) = replay_alone(curves, [made])
    stopped = [item for item in replay.candidates if item.stopped]
    assert stopped
    for item in stopped:
        engine = Engine(made)
        for epoch, accuracy in enumerate(curves.val_accuracy[item.index, : item.num_decisions], start=1):
            engine.observe(epoch, val_accuracy=accuracy)
        forecast = engine.forecasts[-1]
        assert forecast is not None
        assert (item.low, item.high) == forecast.interval_90
    for item in replay.candidates:
        assert item.stopped or (math.isnan(item.low) and math.isnan(item.high) and item.spread == 0.0)


def test_presets_that_do_not_belong_together_are_refused() -> None:
    both = [preset("peng4nn", max_epochs=4), preset("none", max_epochs=4)]
    with pytest.raises(ValueError, match="share one forecaster"):
        replay_alone(FOUR, both)
    with pytest.raises(ValueError, match="share one forecaster"):
        replay_alone(FOUR, [pausing_preset()])


# --- broken contracts ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forgetful(PromoteBest):
    def settle(self, history: History) -> Mapping[int, Decision]:
        return {}


@dataclass(frozen=True, slots=True)
class Careless(Promotion):
    def promote(self, history: History, *, num_new: int) -> int | None:
        return 0

    def settle(self, history: History) -> Mapping[int, Decision]:
        return {}


def test_promotions_that_break_their_contract_are_named() -> None:
    with pytest.raises(ValueError, match="preset pausing leaves candidate 0 paused for ever"):
        simulated(FOUR, pausing_preset(promotion=Forgetful()))
    with pytest.raises(ValueError, match="preset pausing promotes candidate 0, which is not paused"):
        simulated(FOUR, pausing_preset(promotion=Careless()))


def test_an_order_must_name_everyone_once() -> None:
    for order in ([0, 1, 2], [0, 1, 2, 2], [1, 2, 3, 4]):
        with pytest.raises(ValueError, match="order must name each of the 4 candidates once"):
            Simulation(FOUR, pausing_preset(), order=order)
    with pytest.raises(ValueError, match="num_trainers = 0"):
        Simulation(FOUR, pausing_preset(), order=range(4), num_trainers=0)


def test_accuracies_that_look_like_fractions_are_an_error_of_the_record() -> None:
    curves = curve_set([[0.5, 0.6, 0.7, 0.8], [11, 22, 33, 44]])
    made = preset("none", max_epochs=4, epochs_per_interval=1, chance_accuracy=10.0)
    with pytest.raises(RecordError, match=r"by hand, candidate a: epoch 3: .* look like fractions"):
        replay_alone(curves, [made])


def test_losses_reach_the_rule() -> None:
    falling = np.linspace(3.0, 1.0, 4)
    curves = curve_set([[10, 20, 30, 40]] * 2, train_loss=[falling, [2.0, 2.5, 2.5, 2.5]])
    made = preset("menndl", max_epochs=4, epochs_per_interval=1, patience_epochs=2.0)
    (replay,) = replay_alone(curves, [made])
    assert [item.stop_epoch for item in replay.candidates] == [4.0, 3.0]
