"""The campaign's history: what counts, in the order of hearing, and the same after a resume."""

from __future__ import annotations

import time
from pathlib import Path

from recorder_helpers import (
    Campaign,
    Listener,
    campaign,
    described,
    finished,
    lost_with_its_group,
    outcome,
    shown,
)

from estimator import Ended, Standing
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.ledger import (
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
)
from hpc_nas.values import Reason, State


def test_events_stand_in_the_order_of_hearing(subject: Campaign) -> None:
    subject.observe(2, 0.5)
    subject.observe(0, 0.5)
    subject.observe(2, 1.0)
    subject.recorder.take(finished(2), group=0)
    subject.recorder.take(outcome(0, State.STOPPED, reason=Reason.CONVERGED, epochs=0.5), group=0)
    subject.recorder.take(outcome(1, State.FAILED, reason=Reason.BUILD, epochs=0.0), group=0)
    assert shown(subject.events) == [
        (2, 0.5),
        (0, 0.5),
        (2, 1.0),
        (2, Standing.FINISHED),
        (0, Standing.STOPPED),
        (1, Standing.FAILED),
    ]
    audited = {event.candidate: event.audited for event in subject.events if isinstance(event, Ended)}
    assert audited == {0: False, 1: True, 2: False}


def test_candidate_is_described_when_it_is_drawn_and_once(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        assert described(first.events) == [0, 1, 2]
        first.agent.flush()
        first.ledger.append(
            CandidateDrawn(candidate=Listener().ask(3), time_s=time.time())
        )  # and then killed
    with campaign(tmp_path) as second:
        for _ in range(2):
            second.reconcile()
            assert described(second.events) == [0, 1, 2, 3]


def test_what_does_not_count_is_left_out(subject: Campaign) -> None:
    subject.observe(0, 0.5, attempt=1)  # of another attempt
    subject.observe(0, 0.5, group=1)  # of another group
    subject.observe(7, 0.5)  # of nobody
    subject.observe(0, 0.5)
    subject.observe(0, 0.5)  # heard twice
    subject.recorder.take(finished(0, epochs=0.5), group=0)
    subject.observe(0, 1.0)  # over
    subject.recorder.take(finished(0, epochs=0.5), group=0)
    subject.recorder.take(finished(1, attempt=5), group=0)  # stale
    assert shown(subject.events) == [(0, 0.5), (0, Standing.FINISHED)]


def test_lost_attempt_begins_its_curve_again(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    subject.recorder.group_ended(0, lost_with_its_group())
    subject.recorder.start(subject.state.entries[0], group=1)
    subject.observe(0, 1.0)  # the old attempt's, late
    subject.observe(0, 0.5, attempt=1, group=1)
    subject.recorder.take(finished(0, epochs=0.5, attempt=1), group=1)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.LOST), (0, 0.5), (0, Standing.FINISHED)]


def test_candidate_that_crashed_for_good_has_failed(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    for group in (0, 1):
        subject.recorder.group_ended(group, lost_with_its_group(charged=frozenset({0})))
        if group == 0:
            subject.recorder.start(subject.state.entries[0], group=1)
    assert shown(subject.events)[-1] == (0, Standing.FAILED)


def test_finished_candidate_whose_last_rows_were_never_heard_is_a_beginning(subject: Campaign) -> None:
    """Its last accuracy here is not its truth: nothing may learn from it as if it were."""
    subject.observe(0, 0.5)
    subject.recorder.take(finished(0, epochs=2.0), group=0)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.STOPPED)]


def test_resumed_campaign_goes_on_with_its_versions(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        first.observe(0, 0.5)
        first.observe(1, 0.5)
        before = first.events
    with campaign(tmp_path) as second:
        assert repr(second.events) == repr(before)
        second.reconcile()
        assert second.agent.version == 3 + 2  # both are in flight still: their groups' end will tell
        second.recorder.group_ended(0, lost_with_its_group())
        second.recorder.start(second.state.entries[1], group=1)
        second.observe(1, 0.5, attempt=1, group=1)
        assert shown(second.events)[2:] == [(0, Standing.LOST), (1, Standing.LOST), (1, 0.5)]
    assert repr(list(read_history(tmp_path / "history.jsonl").events)) == repr(second.events)


def test_killed_between_ledger_and_journal_is_made_good(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        for number in range(3):
            first.observe(number, 1.0)
        first.agent.flush()
        # What a kill keeps from the journal.
        first.ledger.append(CandidateEnded(outcome=finished(0), group=0, time_s=time.time()))
        first.state.entries[1].state = State.QUEUED
        first.ledger.append(CandidateDrawn(candidate=Listener().ask(3), time_s=time.time()))
        first.ledger.append(AttemptStarted(candidate=3, attempt=0, group=0, time_s=time.time()))
        failed = outcome(3, State.FAILED, reason=Reason.BUILD, epochs=0.0)
        first.ledger.append(CandidateEnded(outcome=failed, group=0, time_s=time.time()))
    with campaign(tmp_path) as second:
        second.state.entries[1].state = State.QUEUED
        for _ in range(2):  # once is enough
            second.reconcile()
            assert shown(second.events)[3:] == [
                (0, Standing.FINISHED),
                (1, Standing.LOST),
                (3, Standing.FAILED),
            ]


def test_damaged_last_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        first.observe(0, 0.5)
    path = tmp_path / "history.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"candidate": 0, "epo')
    with campaign(tmp_path) as second:
        assert shown(second.events) == [(0, 0.5)]
    assert path.read_bytes() == whole
