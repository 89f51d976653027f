"""Who trains what: the roster never hands a candidate out twice nor asks for more than it can hold."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hpc_nas.group.protocol import Assignment
from hpc_nas.group.roster import Roster
from hpc_nas.values import Candidate

TRAINERS, PREFETCH = 3, 2


def assignment(number: int, *, attempt: int = 0) -> Assignment:
    candidate = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
    return Assignment(candidate=candidate, attempt=attempt)


def test_no_credits_before_every_trainer_is_present() -> None:
    roster = Roster(num_trainers=2, prefetch=2)
    roster.present(0)
    assert roster.credits == 0
    roster.present(1)
    assert roster.credits == 4


def test_freed_trainer_takes_the_held_candidate_and_its_place_is_asked_for_again() -> None:
    roster = Roster(num_trainers=1, prefetch=1)
    roster.present(0)
    roster.receive([assignment(7), assignment(8)])
    assert [(t, a.candidate.number) for t, a in roster.place()] == [(0, 7)]
    assert roster.credits == 2
    roster.left(0)
    assert [(t, a.candidate.number) for t, a in roster.place()] == [(0, 8)]
    assert roster.credits == 3


def test_signal_for_an_attempt_that_is_over_has_no_addressee() -> None:
    roster = Roster(num_trainers=1, prefetch=0)
    roster.present(0)
    roster.receive([assignment(5, attempt=1)])
    roster.place()
    assert roster.trainer_of(5, 1) == 0
    assert roster.trainer_of(5, 0) is None
    roster.left(0)
    assert roster.trainer_of(5, 1) is None


def test_closed_roster_places_nothing_on_a_trainer_that_becomes_free() -> None:
    roster = Roster(num_trainers=1, prefetch=1)
    roster.present(0)
    roster.receive([assignment(7), assignment(8)])
    roster.place()
    roster.close()
    roster.left(0)
    roster.receive([assignment(9)])  # it crossed the group's leaving
    assert roster.place() == []
    assert roster.running == {}
    assert roster.credits == 3  # all that it was sent, and no more is asked for


def test_lost_trainer_is_neither_busy_nor_free() -> None:
    roster = Roster(num_trainers=1, prefetch=1)
    roster.present(0)
    assert roster.lost(0) is None
    roster.receive([assignment(7), assignment(8)])
    roster.place()
    lost = roster.lost(0)
    assert lost is not None
    assert lost.candidate.number == 7
    assert (roster.running, roster.place()) == ({}, [])


class RosterMachine(RuleBasedStateMachine):
    """A campaign that sends within the credits, and trainers that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster(num_trainers=TRAINERS, prefetch=PREFETCH)
        self.sent = 0
        self.placed: list[int] = []
        self.done = 0
        for trainer in range(TRAINERS):
            self.roster.present(trainer)

    @precondition(lambda self: self.roster.credits > self.sent)
    @rule(data=st.data())
    def campaign_sends(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.roster.credits - self.sent))
        self.roster.receive([assignment(self.sent + i) for i in range(count)])
        self.sent += count

    @rule()
    def place(self) -> None:
        self.placed += [a.candidate.number for _, a in self.roster.place()]

    @precondition(lambda self: self.roster.running)
    @rule(data=st.data())
    def trainer_leaves(self, data: st.DataObject) -> None:
        trainer = data.draw(st.sampled_from(sorted(self.roster.running)))
        assert self.roster.left(trainer) is not None
        self.done += 1

    @invariant()
    def candidates_are_placed_once_in_order(self) -> None:
        assert self.placed == list(range(len(self.placed)))

    @invariant()
    def never_more_in_hand_than_trainers_and_prefetch(self) -> None:
        assert self.sent - self.done <= TRAINERS + PREFETCH
        assert self.roster.credits - self.done <= TRAINERS + PREFETCH


TestRosterMachine = RosterMachine.TestCase
