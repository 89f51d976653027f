"""The campaign's standing is what the ledger says."""

from __future__ import annotations

import time
from typing import Literal

from hpc_nas.campaign.state import CampaignState
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    GroupEnded,
    GroupStarted,
)
from hpc_nas.values import Candidate, Outcome, Reason, State


def drawn(number: int) -> CandidateDrawn:
    candidate = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
    return CandidateDrawn(candidate=candidate, time_s=0.0)


def started(number: int, *, attempt: int = 0, group: int = 0) -> AttemptStarted:
    return AttemptStarted(candidate=number, attempt=attempt, group=group, time_s=0.0)


def lost(number: int, *, attempt: int = 0, charged: bool = False, quarantined: bool = False) -> AttemptLost:
    return AttemptLost(
        candidate=number,
        attempt=attempt,
        group=0,
        message="",
        charged=charged,
        quarantined=quarantined,
        time_s=0.0,
    )


def interrupted(
    number: int, how: Literal["paused", "drained"], *, attempt: int = 0, checkpoint: str | None = "a.pt"
) -> AttemptInterrupted:
    return AttemptInterrupted(
        candidate=number, attempt=attempt, group=0, how=how, epochs=1.0, checkpoint=checkpoint, time_s=0.0
    )


def finished(number: int, *, attempt: int = 0) -> Outcome:
    return Outcome(
        candidate=number, attempt=attempt, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=90.0
    )


def test_lost_candidate_waits_again_and_its_stale_result_does_not_count() -> None:
    state = CampaignState(num_candidates=1)
    for event in (drawn(0), started(0), lost(0)):
        state.apply(event)
    assert state.next_queued(quarantined=False) is state.entries[0]
    state.apply(started(0, attempt=1, group=1))
    assert not state.is_current(0, attempt=0)
    assert state.is_current(0, attempt=1)


def test_result_counts_once() -> None:
    state = CampaignState(num_candidates=1)
    for event in (drawn(0), started(0), CandidateEnded(outcome=finished(0), group=0, time_s=0.0)):
        state.apply(event)
    assert state.complete
    assert not state.is_current(0, attempt=0)


def test_two_charges_end_a_candidate_and_free_losses_do_not() -> None:
    state = CampaignState(num_candidates=1)
    state.apply(drawn(0))
    for attempt in range(5):
        state.apply(started(0, attempt=attempt))
        state.apply(lost(0, attempt=attempt))
    assert state.may_run_again(0)
    state.apply(lost(0, charged=True))
    assert state.may_run_again(0)
    state.apply(lost(0, charged=True))
    assert not state.may_run_again(0)
    assert state.crashed(0, message="rank 0 was killed by SIGKILL").reason is Reason.CRASHED


def test_suspects_wait_apart_from_the_others() -> None:
    state = CampaignState(num_candidates=2)
    for event in (drawn(0), drawn(1), started(0), started(1), lost(0, quarantined=True), lost(1)):
        state.apply(event)
    quarantined, free = state.next_queued(quarantined=True), state.next_queued(quarantined=False)
    assert quarantined is state.entries[0]
    assert free is state.entries[1]


def test_groups_that_never_ended_are_open() -> None:
    state = CampaignState(num_candidates=1)
    state.apply(GroupStarted(group=0, time_s=0.0))
    state.apply(GroupStarted(group=1, time_s=0.0))
    state.apply(GroupEnded(group=0, reason="", time_s=0.0))
    assert state.open_groups == {1}


def test_paused_candidate_waits_for_promotion_and_not_for_another_attempt() -> None:
    state = CampaignState(num_candidates=2)
    for event in (drawn(0), drawn(1), started(0), started(1), interrupted(0, "paused")):
        state.apply(event)
    assert (state.entries[0].state, state.paused) == (State.PAUSED, {0})
    assert state.next_queued(quarantined=False) is None
    assert state.attempts_in_flight(0) == {(1, 0)}
    assert not state.is_current(0, attempt=0)
    state.apply(started(0, attempt=1, group=3))
    assert (state.entries[0].state, state.paused) == (State.RUNNING, set())
    assert state.attempts_in_flight(3) == {(0, 1)}


def test_drained_candidate_and_one_paused_in_vain_go_on_at_once() -> None:
    state = CampaignState(num_candidates=2)
    for event in (drawn(0), drawn(1), started(0), started(1)):
        state.apply(event)
    state.apply(interrupted(0, "drained", checkpoint=None))
    state.apply(interrupted(1, "paused", checkpoint=None))
    assert [entry.state for entry in state.entries.values()] == [State.QUEUED, State.QUEUED]
    assert [entry.unsaved_pauses for entry in state.entries.values()] == [0, 1]
    assert state.next_queued(quarantined=False) is state.entries[0]
    state.apply(started(1, attempt=1))
    state.apply(interrupted(1, "paused", attempt=1))
    assert state.entries[1].unsaved_pauses == 0


def test_pauses_in_vain_are_forgotten_once_a_checkpoint_could_be_written() -> None:
    state = CampaignState(num_candidates=1)
    state.apply(drawn(0))
    for attempt in range(2):
        state.apply(started(0, attempt=attempt))
        state.apply(interrupted(0, "paused", attempt=attempt, checkpoint=None))
    state.apply(started(0, attempt=2))
    assert state.entries[0].unsaved_pauses == 2
    state.apply(interrupted(0, "drained", attempt=2))
    assert state.entries[0].unsaved_pauses == 0


def test_suspect_that_was_paused_is_none_any_more_and_one_that_was_drained_is() -> None:
    for how, quarantined in (("paused", False), ("drained", True)):
        state = CampaignState(num_candidates=1)
        for event in (drawn(0), started(0), lost(0, quarantined=True), started(0, attempt=1)):
            state.apply(event)
        state.apply(interrupted(0, how, attempt=1))  # type: ignore[arg-type]
        assert state.entries[0].quarantined is quarantined


def test_questions_cost_the_same_however_many_candidates_there_are() -> None:
    """30,000 candidates, each asked for as the campaign's loop does: scans over all would take minutes."""
    number = 30_000
    state = CampaignState(num_candidates=number)
    start = time.process_time()
    for candidate in range(number):
        state.apply(drawn(candidate))
        assert state.next_queued(quarantined=False) is state.entries[candidate]
        state.apply(started(candidate, group=candidate % 7))
        assert len(state.in_flight(candidate % 7)) <= 2
        if candidate % 3 == 0:
            state.apply(interrupted(candidate, "paused"))
        else:
            state.apply(CandidateEnded(outcome=finished(candidate), group=0, time_s=0.0))
        assert not state.complete
    assert time.process_time() - start < 10.0  # about 0.6 on a free core
    assert (state.num_ended, len(state.paused), state.num_in_flight) == (20_000, 10_000, 0)
