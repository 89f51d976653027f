"""A campaign whose first candidates all fail alike ends, and one without any result does not end well."""

from __future__ import annotations

import pytest

from hpc_nas.campaign.alike import MIN_FAILURES, FailingAlike, nothing_trained
from hpc_nas.campaign.state import CampaignState
from hpc_nas.errors import TrainingError
from hpc_nas.records.ledger import CandidateDrawn, CandidateEnded
from hpc_nas.values import Candidate, Outcome, Reason, State

MESSAGE = "training the network: RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x{} and 10x3)"


def failed(number: int, *, reason: Reason = Reason.BUILD, message: str = MESSAGE) -> Outcome:
    return Outcome(
        candidate=number, attempt=0, state=State.FAILED, reason=reason, message=message.format(number)
    )


def finished(number: int) -> Outcome:
    return Outcome(candidate=number, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=9.0)


def state_of(*outcomes: Outcome, num_drawn: int = 20) -> CampaignState:
    state = CampaignState(num_candidates=100)
    for number in range(num_drawn):
        candidate = Candidate(number=number, seed=1, parameters={}, num_parameters=1, num_layers=1, macs=1)
        state.apply(CandidateDrawn(candidate=candidate, time_s=0.0))
    end(state, *outcomes)
    return state


def end(state: CampaignState, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        state.apply(CandidateEnded(outcome=outcome, group=0, history_version=None, time_s=0.0))


@pytest.mark.parametrize(("num_trainers", "count"), [(1, MIN_FAILURES), (2, MIN_FAILURES), (12, 12)])
def test_it_ends_once_as_many_as_there_are_trainers_failed(num_trainers: int, count: int) -> None:
    state = state_of()
    alike = FailingAlike(state, num_trainers=num_trainers)
    for number in range(count - 1):
        end(state, failed(number))
        alike.check()
    end(state, failed(count - 1))
    with pytest.raises(TrainingError) as caught:
        alike.check()
    assert str(caught.value).startswith(
        f"the first {count} candidates all failed alike (build), so the campaign ends; "
        f"candidate 0: {MESSAGE.format(0)}. Mend "
    )


@pytest.mark.parametrize(
    "other",
    [finished(3), failed(3, reason=Reason.OUT_OF_MEMORY), failed(3, message="something else")],
    ids=["finished", "another reason", "another message"],
)
def test_it_goes_on_where_one_ends_in_another_way(other: Outcome) -> None:
    state = state_of()
    alike = FailingAlike(state, num_trainers=2)
    end(state, *(failed(number) for number in range(20) if number != 3), other)
    alike.check()


def test_those_that_fail_quickly_do_not_speak_for_those_that_still_train() -> None:
    state = state_of()
    alike = FailingAlike(state, num_trainers=2)
    end(state, *(failed(number) for number in range(1, 20)))
    alike.check()


def test_it_goes_on_once_anything_was_measured() -> None:
    state = state_of()
    alike = FailingAlike(state, num_trainers=2)
    alike.observed()
    end(state, *(failed(number) for number in range(20)))
    alike.check()


def test_a_resumed_campaign_looks_at_those_that_have_not_ended() -> None:
    state = state_of(*(failed(number) for number in range(MIN_FAILURES)))
    alike = FailingAlike(state, num_trainers=2)
    alike.check()
    end(state, *(failed(number) for number in range(MIN_FAILURES, 2 * MIN_FAILURES)))
    with pytest.raises(TrainingError, match="candidate 5: "):
        alike.check()


def test_a_resumed_campaign_that_has_results_goes_on() -> None:
    state = state_of(finished(0))
    alike = FailingAlike(state, num_trainers=2)
    end(state, *(failed(number) for number in range(1, 20)))
    alike.check()


def test_a_campaign_without_any_result_says_so_with_the_first_message() -> None:
    said = nothing_trained([failed(0), failed(1, reason=Reason.OUT_OF_MEMORY)])
    assert said == (
        f"none of the 2 candidates was trained to a result; candidate 0 failed: build: {MESSAGE.format(0)}"
    )
    assert nothing_trained([failed(0), finished(1)]) == ""
    assert nothing_trained([]) == ""
