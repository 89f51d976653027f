"""Who trains what: the schedule never hands a candidate out twice nor asks for more than it can hold."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hpc_nas.group.protocol import Assignment
from hpc_nas.group.trainers import TrainerSchedule
from hpc_nas.values import Candidate

TRAINERS, PREFETCH = 3, 2


def assignment(number: int, *, attempt: int = 0) -> Assignment:
    candidate = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
    return Assignment(candidate=candidate, attempt=attempt)


def test_no_credits_before_every_trainer_is_present() -> None:
    schedule = TrainerSchedule(num_trainers=2, prefetch=2)
    schedule.present(0)
    assert schedule.credits == 0
    schedule.present(1)
    assert schedule.credits == 4


def test_freed_trainer_takes_the_held_candidate_and_its_place_is_asked_for_again() -> None:
    schedule = TrainerSchedule(num_trainers=1, prefetch=1)
    schedule.present(0)
    schedule.receive([assignment(7), assignment(8)])
    assert [(t, a.candidate.number) for t, a in schedule.place()] == [(0, 7)]
    assert schedule.credits == 2
    schedule.left(0)
    assert [(t, a.candidate.number) for t, a in schedule.place()] == [(0, 8)]
    assert schedule.credits == 3


def test_signal_for_an_attempt_that_is_over_has_no_addressee() -> None:
    schedule = TrainerSchedule(num_trainers=1, prefetch=0)
    schedule.present(0)
    schedule.receive([assignment(5, attempt=1)])
    schedule.place()
    assert schedule.trainer_of(5, 1) == 0
    assert schedule.trainer_of(5, 0) is None
    schedule.left(0)
    assert schedule.trainer_of(5, 1) is None


def test_closed_roster_places_nothing_on_a_trainer_that_becomes_free() -> None:
    schedule = TrainerSchedule(num_trainers=1, prefetch=1)
    schedule.present(0)
    schedule.receive([assignment(7), assignment(8)])
    schedule.place()
    schedule.close()
    schedule.left(0)
    schedule.receive([assignment(9)])  # it crossed the group's leaving
    assert schedule.place() == []
    assert schedule.running == {}
    assert schedule.credits == 3  # all that it was sent, and no more is asked for


def test_lost_trainer_is_neither_busy_nor_free() -> None:
    schedule = TrainerSchedule(num_trainers=1, prefetch=1)
    schedule.present(0)
    assert schedule.lost(0) is None
    schedule.receive([assignment(7), assignment(8)])
    schedule.place()
    lost = schedule.lost(0)
    assert lost is not None
    assert lost.candidate.number == 7
    assert (schedule.running, schedule.place()) == ({}, [])


class ScheduleMachine(RuleBasedStateMachine):
    """A campaign that sends within the credits, and trainers that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = TrainerSchedule(num_trainers=TRAINERS, prefetch=PREFETCH)
        self.sent = 0
        self.placed: list[int] = []
        self.done = 0
        for trainer in range(TRAINERS):
            self.schedule.present(trainer)

    @precondition(lambda self: self.schedule.credits > self.sent)
    @rule(data=st.data())
    def campaign_sends(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.schedule.credits - self.sent))
        self.schedule.receive([assignment(self.sent + i) for i in range(count)])
        self.sent += count

    @rule()
    def place(self) -> None:
        self.placed += [a.candidate.number for _, a in self.schedule.place()]

    @precondition(lambda self: self.schedule.running)
    @rule(data=st.data())
    def trainer_leaves(self, data: st.DataObject) -> None:
        trainer = data.draw(st.sampled_from(sorted(self.schedule.running)))
        assert self.schedule.left(trainer) is not None
        self.done += 1

    @invariant()
    def candidates_are_placed_once_in_order(self) -> None:
        assert self.placed == list(range(len(self.placed)))

    @invariant()
    def never_more_in_hand_than_trainers_and_prefetch(self) -> None:
        assert self.sent - self.done <= TRAINERS + PREFETCH
        assert self.schedule.credits - self.done <= TRAINERS + PREFETCH


TestScheduleMachine = ScheduleMachine.TestCase
