"""The faults' benchmark: when training is held to go on, where an allocation's time went, and what the report says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.bench.environment import Conditions
from benchmarks.fault_bench import allocation, recovery, report, values
from hpc_nas.records.campaign_record import TABLES, CampaignRecord
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, CandidateEnded, GroupReported, GroupStarted
from hpc_nas.values import Outcome, Reason, State

STARTED = tuple(
    GroupStarted(group=group, time_s=time_s) for group, time_s in ((0, 5.0), (1, 21.0), (2, 21.0))
)
ONE_NODE = {"platform": {"num_nodes": 1}, "group": {"groups_per_node": 1, "trainers_per_node": 2}}


def test_replaced_group_has_recovered_once_as_many_trainers_train() -> None:
    record = _record(
        attempts=[
            _attempt(0, rank=0, first=10.0),
            _attempt(1, rank=0, first=22.0),
            _attempt(1, rank=1, first=25.0),
        ]
    )
    fault = _fault("group", time_s=20.0, groups=(0,), num_trainers=2)
    assert recovery.measured(fault, record, STARTED).recovered_s == 5.0


def test_group_that_was_starting_when_the_fault_came_replaces_nothing() -> None:
    record = _record(attempts=[_attempt(1, rank=0, first=22.0), _attempt(2, rank=0, first=30.0)])
    started = (GroupStarted(group=1, time_s=19.0), GroupStarted(group=2, time_s=21.0))
    fault = _fault("group", time_s=20.0, groups=(0,), num_trainers=1)
    assert recovery.measured(fault, record, started).recovered_s == 10.0


def test_trainer_that_was_killed_again_tells_its_beginning_by_its_first_row() -> None:
    record = _record(
        attempts=[_attempt(0, rank=0, first=10.0)],
        observations=[
            _observation(1, rank=0, time_s=24.0, train_s=1.5),
            _observation(1, rank=0, time_s=22.0, train_s=0.5, carried=1),
        ],
    )
    fault = _fault("trainer", time_s=20.0, groups=(0,), num_trainers=1)
    assert recovery.measured(fault, record, STARTED).recovered_s == 2.5


def test_lost_node_has_recovered_once_the_last_of_its_candidates_trains_elsewhere() -> None:
    record = _record(
        attempts=[
            _attempt(0, rank=0, candidate=1, first=10.0),
            _attempt(1, rank=0, candidate=3, first=21.0),  # another one: its own business
            _attempt(1, rank=0, candidate=1, attempt=1, first=31.0),
            _attempt(2, rank=0, candidate=2, attempt=1, first=34.0),
        ]
    )
    fault = _fault("node", time_s=20.0, groups=(0,), num_trainers=2, candidates=(1, 2))
    assert recovery.measured(fault, record, STARTED).recovered_s == 14.0


def test_candidate_behind_a_cut_link_that_came_to_its_end_has_recovered_with_its_outcome() -> None:
    record = _record(attempts=[_attempt(0, rank=0, candidate=1, first=10.0)])
    outcome = Outcome(
        candidate=1, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=90.0, epochs=4.0
    )
    ended = CandidateEnded(outcome=outcome, group=0, time_s=23.0)
    fault = _fault("link", time_s=20.0, groups=(0,), num_trainers=1, candidates=(1,))
    assert recovery.measured(fault, record, (*STARTED, ended)).recovered_s == 3.0


@pytest.mark.parametrize("kind", ["trainer", "link"])
def test_fault_without_a_recovery_to_be_seen_is_not_measured(kind: str) -> None:
    record = _record(attempts=[_attempt(0, rank=0, first=10.0)])
    fault = _fault(kind, time_s=20.0, groups=(0,), num_trainers=1, candidates=(1,))
    assert math.isnan(recovery.measured(fault, record, STARTED).recovered_s)


def test_overlapping_fault_is_not_measured() -> None:
    record = _record(attempts=[_attempt(1, rank=0, first=22.0)])
    fault = _fault("group", time_s=20.0, groups=(0,), num_trainers=1, overlapping=True)
    assert math.isnan(recovery.measured(fault, record, STARTED).recovered_s)


def test_storm_waits_until_what_a_lost_node_trained_has_ended() -> None:
    fault = _fault("node", time_s=20.0, groups=(0,), num_trainers=2, candidates=(1, 2))
    events = [
        _ended(1, group=0, time_s=19.0),
        _ended(1, group=1, time_s=30.0),
        _ended(5, group=1, time_s=31.0),
    ]
    assert not recovery.well_again(fault, events)
    assert recovery.well_again(fault, [*events, _ended(2, group=1, time_s=32.0)])


def test_storm_waits_until_as_many_trainers_as_were_lost_have_brought_something() -> None:
    fault = _fault("campaign", time_s=20.0, groups=(0, 1), num_trainers=2)
    started = [{"event": "group_started", "group": e.group, "time_s": e.time_s} for e in STARTED]
    events = [*started, _ended(1, group=0, time_s=30.0), _ended(2, group=2, time_s=31.0)]
    assert not recovery.well_again(fault, events)
    assert recovery.well_again(fault, [*events, _ended(3, group=1, time_s=32.0)])


def test_shares_of_an_allocation_add_up_and_name_each_part() -> None:
    record = _record(
        attempts=[
            _attempt(0, rank=0, received=130.0, left=150.0, train=15.0),
            _attempt(0, rank=0, received=151.0, left=170.0, train=18.0),
            _attempt(0, rank=1, received=130.0, left=180.0, train=47.0),
        ]
    )
    events = (
        _opened(105.0),
        GroupStarted(group=0, time_s=112.0),
        GroupReported(group=0, host="n1", pid=1, num_trainers=2, time_s=120.0),
        CampaignClosed(reason="complete", time_s=190.0),
    )
    job = allocation.JobTimes(job=7, start=100.0, end=200.0)
    (share,) = allocation.shares(record, events, [job])
    assert share.model_dump() == {
        "job": 7,
        "allocation_s": 100.0,
        "num_trainers": 2,
        "before_campaign": 5.0,
        "before_groups": 7.0,
        "before_reports": 8.0,
        "before_training": 10.0,
        "training": 40.0,
        "between": 5.0,
        "idle_at_end": 15.0,
        "after_campaign": 10.0,
    }


def test_job_in_which_nobody_came_to_train_is_lost_as_a_whole() -> None:
    events = (_opened(105.0), CampaignClosed(reason="walltime", time_s=190.0))
    job = allocation.JobTimes(job=7, start=100.0, end=200.0)
    (share,) = allocation.shares(_record(), events, [job])
    assert (share.before_campaign, share.before_training, share.training) == (5.0, 85.0, 0.0)


def test_jobs_after_the_one_that_completed_the_campaign_have_no_share() -> None:
    times = allocation.JobTimes
    events = (_opened(105.0), CampaignClosed(reason="complete", time_s=190.0), _opened(300.0))
    jobs = [times(job=7, start=100.0, end=200.0), times(job=8, start=250.0, end=310.0)]
    assert [share.job for share in allocation.shares(_record(), events, jobs)] == [7]


def test_report_names_what_was_found_and_the_times_by_kind(tmp_path: Path) -> None:
    faults = [
        _fault("trainer", time_s=1.0, groups=(0,), num_trainers=1, recovered_s=seconds)
        for seconds in (4.0, 6.0, math.nan)
    ]
    judged = values.Judged(
        campaign=0,
        num_candidates=10,
        num_observations=40,
        num_faults=3,
        jobs=1,
        elapsed_s=60.0,
        observations_lost=(),
        candidates_lost=(3,),
        counted_twice=(),
        left_over=(),
        batches_repeated_after_planned_ends=0,
        epochs_trained=20.0,
        epochs_repeated=1.0,
        gave_up=(),
        outcomes={"finished: full_budget": 9},
    )
    storm = values.Storm(seed=1, plan={values.Kind.TRAINER: 4}, faults=tuple(faults), campaigns=(judged,))
    assert storm.remaining == {values.Kind.TRAINER: 1}
    path = report.write_report(values.FaultResults(storm=storm), tmp_path, notice="")
    text = path.read_text()
    assert "| candidates lost | **1** |" in text
    assert "| candidates counted twice | 0 |" in text
    assert "| trainer | 3 of 4 | 5.0 s (4.2 to 5.8; 2) | as many trainers train |" in text
    assert (
        values.FaultResults.model_validate_json(values.FaultResults(storm=storm).model_dump_json()).storm
        is not None
    )


def _fault(kind: str, **changes: Any) -> Any:
    given = {"campaign": 0, "candidates": (), "overlapping": False, **changes}
    return values.Fault(kind=values.Kind(kind), **given)


def _ended(candidate: int, *, group: int, time_s: float) -> dict[str, Any]:
    return {"event": "candidate_ended", "group": group, "time_s": time_s, "outcome": {"candidate": candidate}}


def _record(*, attempts: Any = (), observations: Any = ()) -> CampaignRecord:
    tables = {name: np.zeros(0, dtype=dtype) for name, dtype in TABLES.items()}
    tables |= {"attempts": _rows("attempts", attempts), "observations": _rows("observations", observations)}
    return CampaignRecord(
        name="c", host="h", commit="", versions={}, data={}, configuration=ONE_NODE, **tables
    )


def _rows(name: str, given: Any) -> Any:
    rows = np.zeros(len(given), dtype=TABLES[name])
    for row, known in zip(rows, given, strict=True):
        for key, value in known.items():
            row[key] = value
    return rows


def _attempt(
    group: int,
    *,
    rank: int,
    candidate: int = 0,
    attempt: int = 0,
    first: float = math.nan,
    received: float = 0.0,
    left: float = 0.0,
    train: float = 0.0,
) -> dict[str, Any]:
    return {
        "group": group,
        "rank": rank,
        "candidate": candidate,
        "attempt": attempt,
        "first_batch_time": first,
        "received_time": received,
        "left_time": left,
        "train_s": train,
    }


def _observation(group: int, *, rank: int, time_s: float, train_s: float, carried: int = 0) -> dict[str, Any]:
    return {"group": group, "rank": rank, "time_s": time_s, "train_s": train_s, "carried": carried}


def _opened(time_s: float) -> CampaignOpened:
    return CampaignOpened(
        host="n1", pid=1, hpc_nas_version="0", commit="", versions={}, data={}, resumed=False, time_s=time_s
    )


def test_storm_that_goes_on_at_another_commit_names_both() -> None:
    begun = Conditions(commit="aaa", started="monday", background_cpu_percent=10.0)
    goes_on = Conditions(commit="bbb", started="tuesday", background_cpu_percent=4.0)
    both = begun.model_copy(update={"commit": "aaa, bbb"})
    assert begun.before(goes_on) == both
    assert both.before(goes_on) == both
