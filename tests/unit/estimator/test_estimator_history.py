"""What is known of a population: events in, members out; and what engines tell and read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import (
    Described,
    Ended,
    Engine,
    Event,
    History,
    InvalidObservation,
    Member,
    MirroredHistory,
    Observed,
    Population,
    Reason,
    Resumed,
    Standing,
    preset,
)


def observed(candidate: int, epoch: float, accuracy: float) -> Observed:
    return Observed(candidate=candidate, epoch=epoch, val_accuracy=accuracy)


def ended(candidate: int, standing: Standing) -> Ended:
    return Ended(candidate=candidate, standing=standing)


def summary(history: History) -> list[tuple[int, list[float], list[float], Standing, bool]]:
    return [
        (
            member.candidate,
            member.curve.epochs.tolist(),
            member.curve.val_accuracy.tolist(),
            member.standing,
            member.audited,
        )
        for member in history.members.values()
    ]


# --- events


def test_the_version_counts_events_and_nothing_else() -> None:
    history = History()
    assert (history.version, len(history), history.num_ended) == (0, 0, 0)
    history.apply(observed(7, 1.0, 50.0))
    history.apply(observed(3, 1.0, 60.0))
    history.apply(ended(7, Standing.STOPPED))
    assert (history.version, len(history), history.num_ended) == (3, 2, 1)
    assert history.events_since(2) == (ended(7, Standing.STOPPED),)
    assert history.events_since(3) == ()
    assert [member.candidate for member in history.those(*Standing)] == [7, 3]
    assert repr(history) == "History(2 candidates, version 3)"


def test_a_paused_candidate_that_is_resumed_runs_and_no_other_has_ended_for_it() -> None:
    history = History([observed(7, 1.0, 50.0), Ended(candidate=7, standing=Standing.PAUSED, audited=True)])
    history.apply(Resumed(candidate=7))
    member = history.members[7]
    assert (member.standing, member.audited, len(member.curve)) == (Standing.RUNNING, True, 1)
    assert (history.version, history.num_ended) == (3, 1)
    assert (history.count(Standing.PAUSED), history.count(Standing.RUNNING)) == (0, 1)
    for number in (7, 8):
        with pytest.raises(ValueError, match=f"candidate {number} can't be resumed"):
            history.apply(Resumed(candidate=number))
    assert (history.version, len(history)) == (3, 1)


def test_all_that_was_measured_is_kept() -> None:
    event = Observed(
        candidate=1, epoch=0.5, val_accuracy=50.0, val_loss=2.0, train_loss=math.inf, train_accuracy=55.0
    )
    curve = History([event]).members[1].curve
    assert (curve.val_loss.tolist(), curve.train_loss.tolist()) == ([2.0], [math.inf])
    assert curve.train_accuracy.tolist() == [55.0]


def test_members_can_not_be_changed_from_outside() -> None:
    history = History([observed(0, 1.0, 50.0)])
    with pytest.raises(TypeError):
        history.members[0] = history.members[0]  # type: ignore[index]


@pytest.mark.parametrize("bad", [observed(0, 1.0, 60.0), observed(0, 2.0, 101.0), observed(5, 1.0, math.nan)])
def test_an_observation_that_can_not_be_leaves_the_history_as_it_was(bad: Observed) -> None:
    history = History([observed(0, 1.0, 50.0)])
    with pytest.raises(InvalidObservation):
        history.apply(bad)
    assert (history.version, history.count(Standing.RUNNING)) == (1, 1)
    assert summary(history) == [(0, [1.0], [50.0], Standing.RUNNING, False)]


def test_a_lost_attempt_counts_no_more_and_its_curve_begins_again() -> None:
    history = History([observed(0, 1.0, 50.0), observed(0, 2.0, 70.0), ended(0, Standing.LOST)])
    assert history.count(Standing.LOST) == 1
    assert Population(history=history, candidate=1).others == []
    history.apply(observed(0, 1.0, 40.0))
    assert summary(history) == [(0, [1.0], [40.0], Standing.RUNNING, False)]
    assert (history.count(Standing.LOST), history.count(Standing.RUNNING)) == (0, 1)


def test_an_invalid_first_observation_after_a_loss_keeps_the_attempt_lost() -> None:
    history = History([observed(0, 1.0, 50.0), ended(0, Standing.LOST)])
    with pytest.raises(InvalidObservation):
        history.apply(observed(0, -1.0, 50.0))
    assert history.members[0].standing is Standing.LOST


def test_a_paused_candidate_that_is_observed_again_runs_again() -> None:
    history = History([observed(0, 1.0, 50.0), ended(0, Standing.PAUSED)])
    assert history.count(Standing.PAUSED) == 1
    history.apply(observed(0, 2.0, 60.0))
    assert summary(history) == [(0, [1.0, 2.0], [50.0, 60.0], Standing.RUNNING, False)]


@pytest.mark.parametrize("standing", [Standing.STOPPED, Standing.FINISHED, Standing.FAILED])
def test_what_an_ended_candidate_still_shows_is_only_noted(standing: Standing) -> None:
    history = History([observed(0, 1.0, 50.0), ended(0, standing), observed(0, 2.0, 60.0)])
    assert summary(history) == [(0, [1.0, 2.0], [50.0, 60.0], standing, False)]


def test_what_is_learned_is_kept_until_its_token_changes() -> None:
    history, built = History(), []

    def build() -> int:
        built.append(history.num_ended)
        return len(built)

    assert [history.recall("model", history.num_ended, build) for _ in range(3)] == [1, 1, 1]
    history.apply(observed(0, 1.0, 50.0))
    assert history.recall("model", history.num_ended, build) == 1
    history.apply(ended(0, Standing.FINISHED))
    assert history.recall("model", history.num_ended, build) == 2
    assert history.recall("another", history.num_ended, build) == 3
    assert built == [0, 1, 1]


events = st.lists(
    st.one_of(
        st.builds(
            Observed,
            candidate=st.integers(0, 3),
            epoch=st.sampled_from([1.0, 2.0, 3.0, 4.0]),
            val_accuracy=st.floats(0.0, 110.0),
        ),
        st.builds(
            Ended, candidate=st.integers(0, 3), standing=st.sampled_from(Standing), audited=st.booleans()
        ),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(events=events)
def test_the_first_events_say_all_that_was_known_then(events: Sequence[Event]) -> None:
    history, at_version = History(), [summary(History())]
    for event in events:
        try:
            history.apply(event)
        except InvalidObservation:
            continue
        at_version.append(summary(history))
        assert sum(history.count(standing) for standing in Standing) == len(history)
        for standing in Standing:
            assert history.count(standing) == len(history.those(standing))
    assert len(at_version) == history.version + 1
    for version, then in enumerate(at_version):
        assert summary(History(history.events[:version])) == then
        mirror = MirroredHistory(history.events[:version])
        for event in history.events_since(version):
            mirror.apply(event)
        assert summary(mirror) == at_version[-1]


# --- the population


def test_a_candidate_sees_everyone_but_itself_lost_and_failed_ones_left_out() -> None:
    history = History([observed(number, 1.0, 10.0 * number) for number in range(7)])
    standings = {1: Standing.PAUSED, 2: Standing.STOPPED, 3: Standing.FINISHED, 4: Standing.FAILED}
    for number, standing in standings.items():
        history.apply(ended(number, standing))
    history.apply(ended(5, Standing.LOST))

    def numbers(members: Sequence[Member]) -> list[int]:
        return [member.candidate for member in members]

    population = Population(history=history, candidate=6)
    assert numbers(population.others) == [0, 1, 2, 3]
    assert numbers(population.finished) == [3]
    assert numbers(Population(history=history, candidate=3).finished) == []
    assert numbers(Population(history=history, candidate=3).others) == [0, 1, 2, 6]
    assert population.version == history.version == 12


# --- engines


def test_an_engine_tells_what_it_saw_and_how_its_candidate_ended() -> None:
    history = History()
    stopped = Engine(preset("i-epoch", max_epochs=4, epochs=2), history=history, candidate=5)
    finished = Engine(preset("none", max_epochs=2), history=history, candidate=6)
    for epoch in (1, 2):
        stopped.observe(epoch, val_accuracy=50.0 + epoch, val_loss=1.0, train_loss=2.0, train_accuracy=60.0)
        finished.observe(epoch, val_accuracy=70.0)
    assert stopped.history is history
    assert history.events[0] == Observed(
        candidate=5, epoch=1.0, val_accuracy=51.0, val_loss=1.0, train_loss=2.0, train_accuracy=60.0
    )
    assert summary(history) == [
        (5, [1.0, 2.0], [51.0, 52.0], Standing.STOPPED, False),
        (6, [1.0, 2.0], [70.0, 70.0], Standing.FINISHED, False),
    ]


def test_a_decision_names_the_version_before_its_own_observation() -> None:
    history = History()
    first = Engine(preset("i-epoch", max_epochs=4, epochs=2), history=history, candidate=0)
    second = Engine(preset("none", max_epochs=4), history=history, candidate=1)
    assert first.observe(1, val_accuracy=50.0).version == 0
    assert second.observe(1, val_accuracy=50.0).version == 1
    stopped = first.observe(2, val_accuracy=50.0)
    assert (stopped.stop, stopped.version) == (True, 2)
    assert first.observe(3, val_accuracy=50.0).version == 2  # the first stop is final
    assert second.observe(4, val_accuracy=50.0).version == 5  # its last, where nothing is left to decide


def test_engines_without_a_history_know_of_nobody() -> None:
    first, second = (Engine(preset("none", max_epochs=4)) for _ in range(2))
    first.observe(1, val_accuracy=50.0)
    assert (len(first.history), len(second.history)) == (1, 0)


def test_an_audited_candidate_is_decided_on_and_yet_runs_to_the_end() -> None:
    history = History()
    engine = Engine(preset("i-epoch", max_epochs=3, epochs=1), history=history, candidate=4, audited=True)
    assert engine.observe(1, val_accuracy=50.0).stop
    assert history.members[4].standing is Standing.RUNNING
    assert history.num_ended == 0
    engine.observe(2, val_accuracy=60.0)
    engine.observe(3, val_accuracy=70.0)
    assert summary(history) == [(4, [1.0, 2.0, 3.0], [50.0, 60.0, 70.0], Standing.FINISHED, True)]


def test_a_stopped_candidate_that_is_trained_on_all_the_same_finishes() -> None:
    engine = Engine(preset("i-epoch", max_epochs=2, epochs=1))
    engine.observe(1, val_accuracy=50.0)
    assert engine.history.members[0].standing is Standing.STOPPED
    engine.observe(2, val_accuracy=60.0)
    assert engine.history.members[0].standing is Standing.FINISHED
    assert engine.decision is not None
    assert engine.decision.reason is Reason.BUDGET


def test_an_engine_adds_nothing_to_a_mirrored_history() -> None:
    mirror = MirroredHistory([observed(0, 1.0, 50.0)])
    engine = Engine(preset("i-epoch", max_epochs=4, epochs=1), history=mirror, candidate=1)
    assert engine.observe(1, val_accuracy=60.0).version == 1
    assert (engine.decision is not None, mirror.version, list(mirror.members)) == (True, 1, [0])
    mirror.apply(observed(1, 1.0, 60.0))
    assert mirror.version == 2


def test_fractions_given_as_percent_are_refused_at_the_third() -> None:
    engine = Engine(preset("none", max_epochs=20, chance_accuracy=10.0))
    engine.observe(1, val_accuracy=0.31)
    engine.observe(2, val_accuracy=0.52)
    with pytest.raises(InvalidObservation, match=r"epoch 3: val_accuracy = 0.66 .* fractions; give percent"):
        engine.observe(3, val_accuracy=0.66)
    assert (len(engine.curve), len(engine.forecasts), engine.history.version) == (2, 2, 2)
    assert not engine.observe(3, val_accuracy=66.0).stop


@pytest.mark.parametrize(
    ("chance", "accuracies"),
    [
        (math.nan, [0.5, 0.6, 0.7]),
        (4.9, [0.5, 0.6, 0.7]),  # of so many classes one may be known
        (10.0, [0.0, 0.0, 0.0]),
        (10.0, [0.0, 0.0, 0.7]),
        (10.0, [0.5, 1.01, 0.7]),
        (10.0, [0.5, 0.6, 1.01]),
        (10.0, [1.5, 0.6, 0.7, 0.8, 0.9]),
    ],
)
def test_low_accuracies_that_can_be_percent_are_taken(chance: float, accuracies: list[float]) -> None:
    engine = Engine(preset("none", max_epochs=20, chance_accuracy=chance))
    for epoch, accuracy in enumerate(accuracies, start=1):
        engine.observe(epoch, val_accuracy=accuracy)
    assert len(engine.curve) == len(accuracies)


def test_described_candidate_is_no_member_yet_and_counts_as_an_event() -> None:
    history = History([Described(candidate=3, features=(("layers", 2.0),))])
    assert (history.version, len(history)) == (1, 0)
    assert history.features_of(3) == (("layers", 2.0),)
    with pytest.raises(ValueError, match="finite"):
        history.apply(Described(candidate=4, features=(("layers", math.nan),)))
    assert history.version == 1
