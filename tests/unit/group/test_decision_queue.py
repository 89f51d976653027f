"""The decisions: results in order, and a history that is taken in between decisions, without a gap."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

import estimator
from estimator import Ended, Event, Observed, Standing
from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.preset_library.base import Preset
from estimator.rules import NeverStop
from estimator.values import Forecast, Source
from hpc_nas.configuration import Mode
from hpc_nas.group.attempt_monitor import Signal
from hpc_nas.group.decision_queue import Concluded, DecisionQueue, Judged, Result, SetAside
from hpc_nas.group.protocol import Interrupted
from hpc_nas.records.history_journal import to_line
from hpc_nas.values import Observation, Reason, State

EVENTS: list[Event] = [
    Observed(candidate=1, epoch=0.5, val_accuracy=40.0),
    Observed(candidate=2, epoch=0.5, val_accuracy=50.0),
    Ended(candidate=1, standing=Standing.FINISHED),
    Observed(candidate=3, epoch=0.5, val_accuracy=60.0),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Headcount(Forecaster):
    """Forecasts how many others there are: shows what was known."""

    alone: ClassVar[bool] = False

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        count = float(len(population.others))
        return Forecast(value=count, spread=0.0, at_max_epochs=count, num_points=1)


@pytest.fixture
def decisions() -> Iterator[DecisionQueue]:
    preset = Preset(
        name="headcount",
        max_epochs=20.0,
        forecaster=Headcount(),
        rule=NeverStop(),
        conclusion=Source.BEST_OBSERVED,
    )
    made = DecisionQueue(preset, mode_for=lambda number: Mode.STOP)
    yield made
    made.close()


def observation(epoch: float, *, candidate: int = 9) -> Observation:
    return Observation(
        candidate=candidate,
        attempt=0,
        epoch=epoch,
        val_accuracy=40.0,
        val_loss=1.0,
        train_accuracy=40.0,
        train_loss=1.0,
        learning_rate=0.1,
        train_s=1.0,
        validate_s=0.1,
        time_s=1.0,
    )


def learn(decisions: DecisionQueue, first: int, last: int) -> None:
    decisions.learn([to_line(event) for event in EVENTS[first:last]], first_version=first)


def results(decisions: DecisionQueue) -> list[Result]:
    """All that is queued, once it is done."""
    found: list[Result] = []
    deadline = time.monotonic() + 240.0
    while decisions:
        assert time.monotonic() < deadline
        if (result := decisions.take()) is not None:
            found.append(result)
    return found


def looks(decisions: DecisionQueue) -> list[tuple[int, float]]:
    """(version, others known) of each observation that was judged."""
    found = []
    for result in results(decisions):
        assert isinstance(result, Judged)
        assert result.verdict is not None
        assert result.verdict.decision.forecast is not None
        found.append((result.verdict.history_version, result.verdict.decision.forecast.value))
    return found


def test_what_was_learned_before_a_row_was_queued_is_what_its_decision_rests_on(
    decisions: DecisionQueue,
) -> None:
    decisions.observe(observation(0.5), read_lag_s=0.0)
    learn(decisions, 0, 1)
    decisions.observe(observation(1.0), read_lag_s=0.0)
    learn(decisions, 1, 4)
    decisions.observe(observation(1.5), read_lag_s=0.0)
    assert looks(decisions) == [(0, 0.0), (1, 1.0), (4, 3.0)]


def test_candidate_is_none_of_the_others(decisions: DecisionQueue) -> None:
    learn(decisions, 0, 4)
    decisions.observe(observation(0.5, candidate=3), read_lag_s=0.0)
    assert looks(decisions) == [(4, 2.0)]


def test_what_is_known_is_ignored_and_what_lies_beyond_a_gap_is_not_taken(decisions: DecisionQueue) -> None:
    learn(decisions, 2, 4)
    assert decisions.history_version == 0
    learn(decisions, 0, 2)
    learn(decisions, 0, 2)
    assert decisions.history_version == 2
    learn(decisions, 1, 3)
    learn(decisions, 0, 0)
    assert decisions.history_version == 3
    decisions.observe(observation(0.5), read_lag_s=0.0)
    assert looks(decisions) == [(3, 2.0)]


def test_pieces_in_any_order_and_number_give_one_history(decisions: DecisionQueue) -> None:
    rng = random.Random(5)
    while decisions.history_version < len(EVENTS):
        first = rng.randrange(len(EVENTS))
        learn(decisions, first, rng.randint(first, len(EVENTS)))
    decisions.observe(observation(0.5), read_lag_s=0.0)
    assert looks(decisions) == [(4, 3.0)]


def test_attempt_is_concluded_after_its_last_row(decisions: DecisionQueue) -> None:
    learn(decisions, 0, 4)
    decisions.observe(observation(0.5), read_lag_s=0.0)
    decisions.conclude(
        (9, 0), trainer=1, state=State.FINISHED, reason=Reason.FULL_BUDGET, message="", ended_time=3.0
    )
    judged, concluded = results(decisions)
    assert isinstance(judged, Judged)
    assert isinstance(concluded, Concluded)
    assert (concluded.trainer, concluded.outcome.estimate, concluded.outcome.epochs) == (1, 40.0, 0.5)


@pytest.mark.parametrize("epochs", [0.0, 0.5])
def test_attempt_is_set_aside_after_its_last_row_and_begins_anew_later(
    decisions: DecisionQueue, epochs: float
) -> None:
    """What is known of its epochs without its checkpoint is what its rows say."""
    interrupted = Interrupted(
        trainer=1, candidate=9, attempt=0, how="paused", epochs=epochs, checkpoint=None, message="full"
    )
    decisions.observe(observation(0.5), read_lag_s=0.0)
    decisions.set_aside(interrupted)
    decisions.observe(observation(0.5), read_lag_s=0.0)
    judged, set_aside, again = results(decisions)
    assert isinstance(judged, Judged)
    assert set_aside == SetAside(interrupted=interrupted.model_copy(update={"epochs": 0.5}))
    assert isinstance(again, Judged)
    assert again.error == ""


def drained(*, checkpoint: str | None) -> Interrupted:
    return Interrupted(trainer=1, candidate=9, attempt=0, how="drained", epochs=1.0, checkpoint=checkpoint)


@pytest.mark.parametrize(("checkpoint", "how"), [("there", "paused"), (None, "drained")])
def test_a_pause_stands_that_met_a_trainer_on_its_way_out(checkpoint: str | None, how: str) -> None:
    """Carried rows are not decided on again: the candidate would pass its rung without having been compared."""
    decisions = DecisionQueue(estimator.preset("asha", max_epochs=9.0), mode_for=lambda number: Mode.STOP)
    decisions.observe(observation(1.0), read_lag_s=0.0)
    decisions.set_aside(drained(checkpoint=checkpoint))
    judged, set_aside = results(decisions)
    decisions.close()
    assert isinstance(judged, Judged)
    assert judged.verdict is not None
    assert judged.verdict.signal == Signal(action=estimator.Action.PAUSE, reason=Reason.RUNG)
    assert isinstance(set_aside, SetAside)
    assert (set_aside.interrupted.how, set_aside.interrupted.epochs) == (how, 1.0)


def test_a_stop_stands_that_met_a_trainer_on_its_way_out() -> None:
    preset = estimator.preset("i-epoch", max_epochs=20.0, epochs=1.0)
    decisions = DecisionQueue(preset, mode_for=lambda number: Mode.STOP)
    decisions.observe(observation(1.0), read_lag_s=0.0)
    decisions.set_aside(drained(checkpoint="there"))
    _, concluded = results(decisions)
    decisions.close()
    assert isinstance(concluded, Concluded)
    assert (concluded.trainer, concluded.outcome.label) == (1, "stopped: budget")


def test_what_was_decided_on_an_audited_candidate_is_no_reason_to_end_it() -> None:
    preset = estimator.preset("i-epoch", max_epochs=20.0, epochs=1.0)
    decisions = DecisionQueue(preset, mode_for=lambda number: Mode.OBSERVE)
    decisions.observe(observation(1.0), read_lag_s=0.0)
    decisions.set_aside(drained(checkpoint="there"))
    _, set_aside = results(decisions)
    decisions.close()
    assert set_aside == SetAside(interrupted=drained(checkpoint="there"))


def test_audited_candidate_is_never_signalled() -> None:
    preset = estimator.preset("i-epoch", max_epochs=20.0, epochs=1.0)
    decisions = DecisionQueue(preset, mode_for=lambda number: Mode.OBSERVE if number == 4 else Mode.STOP)
    for candidate in (4, 5):
        for epoch in (0.5, 1.0, 1.5):
            decisions.observe(observation(epoch, candidate=candidate), read_lag_s=0.0)
    signals = {
        (found.observation.candidate, found.observation.epoch): found.verdict.signal
        for found in results(decisions)
        if isinstance(found, Judged) and found.verdict is not None and found.verdict.decision.stop
    }
    decisions.close()
    assert signals == {
        (4, 1.0): None,
        (4, 1.5): None,
        (5, 1.0): Signal(action=estimator.Action.STOP, reason=Reason.BUDGET),
        (5, 1.5): None,
    }
