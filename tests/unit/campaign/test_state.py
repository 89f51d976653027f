"""The campaign's standing is what the ledger says."""

from __future__ import annotations

from hpc_nas.campaign.state import CampaignState
from hpc_nas.records.ledger import (
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


def lost(number: int, *, attempt: int = 0, charged: bool = False, suspect: bool = False) -> AttemptLost:
    return AttemptLost(
        candidate=number, attempt=attempt, group=0, message="", charged=charged, suspect=suspect, time_s=0.0
    )


def finished(number: int, *, attempt: int = 0) -> Outcome:
    return Outcome(
        candidate=number, attempt=attempt, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=90.0
    )


def test_lost_candidate_waits_again_and_its_stale_result_does_not_count() -> None:
    state = CampaignState(num_candidates=1)
    for event in (drawn(0), started(0), lost(0)):
        state.apply(event)
    assert state.next_queued(suspect=False) is state.entries[0]
    state.apply(started(0, attempt=1, group=1))
    assert not state.is_current(finished(0, attempt=0))
    assert state.is_current(finished(0, attempt=1))


def test_result_counts_once() -> None:
    state = CampaignState(num_candidates=1)
    for event in (drawn(0), started(0), CandidateEnded(outcome=finished(0), group=0, time_s=0.0)):
        state.apply(event)
    assert state.complete
    assert not state.is_current(finished(0))


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
    for event in (drawn(0), drawn(1), started(0), started(1), lost(0, suspect=True), lost(1)):
        state.apply(event)
    suspect, free = state.next_queued(suspect=True), state.next_queued(suspect=False)
    assert suspect is state.entries[0]
    assert free is state.entries[1]


def test_groups_that_never_ended_are_open() -> None:
    state = CampaignState(num_candidates=1)
    state.apply(GroupStarted(group=0, time_s=0.0))
    state.apply(GroupStarted(group=1, time_s=0.0))
    state.apply(GroupEnded(group=0, reason="", time_s=0.0))
    assert state.open_groups == {1}
