"""Candidates that are set aside and go on: what ledger and history say of them, also after a kill."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from recorder_helpers import (
    Campaign,
    campaign,
    finished,
    lost_with_its_group,
    outcome,
    shown,
)

from estimator import Standing
from hpc_nas.errors import RecordError
from hpc_nas.group import protocol
from hpc_nas.records.checkpoint_files import CheckpointName
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptStarted,
    CandidateEnded,
    read_ledger,
)
from hpc_nas.values import Reason, State


def test_paused_candidate_is_paused_in_the_history_and_resumed_when_it_is_handed_out(
    subject: Campaign,
) -> None:
    subject.observe(0, 0.5)
    name = subject.save(0)
    subject.interrupt(0, "paused", epochs=0.5, checkpoint=name)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.PAUSED)]
    assert subject.state.paused == {0}
    assert subject.recorder.start(subject.state.entries[0], group=1) == name
    subject.observe(0, 0.5, attempt=1, group=1)  # carried
    subject.observe(0, 1.0, attempt=1, group=1)
    assert shown(subject.events)[2:] == [(0, "resumed"), (0, 1.0)]
    subject.recorder.commit()
    (started,) = [
        e
        for e in read_ledger(subject.path / "ledger.jsonl").events
        if isinstance(e, AttemptStarted) and e.attempt == 1
    ]
    assert started.checkpoint == name


@pytest.mark.parametrize("saved", [True, False])
def test_drained_candidate_runs_on_in_the_history_if_it_can_go_on(subject: Campaign, saved: bool) -> None:
    subject.observe(0, 0.5)
    subject.observe(0, 1.0)
    name = subject.save(0) if saved else None
    subject.interrupt(0, "drained", epochs=1.0, checkpoint=name)
    assert subject.state.next_queued(quarantined=False) is subject.state.entries[0]
    assert subject.recorder.start(subject.state.entries[0], group=1) == name
    for epoch in (0.5, 1.0, 1.5):
        subject.observe(0, epoch, attempt=1, group=1)
    before = [(0, 0.5), (0, 1.0)]
    after: list[object] = [(0, 1.5)] if saved else [(0, Standing.LOST), *before, (0, 1.5)]
    assert shown(subject.events) == [*before, *after]


def test_lost_candidate_repeats_what_was_trained_after_its_checkpoint_unheard(subject: Campaign) -> None:
    for epoch in (0.5, 1.0, 1.5):
        subject.observe(0, epoch)
    name = subject.save(0, batches=5)
    subject.recorder.group_ended(0, lost_with_its_group())
    assert subject.recorder.start(subject.state.entries[0], group=1) == name
    for epoch in (0.5, 1.0, 1.5, 2.0):
        subject.observe(0, epoch, attempt=1, group=1)
    assert shown(subject.events) == [(0, 0.5), (0, 1.0), (0, 1.5), (0, 2.0)]


def test_candidate_goes_on_from_the_latest_of_its_checkpoints(subject: Campaign) -> None:
    subject.save(0, batches=5)
    latest = subject.save(0, batches=11)
    subject.save(1, batches=99)
    subject.recorder.group_ended(0, lost_with_its_group())
    assert subject.recorder.start(subject.state.entries[0], group=1) == latest


def test_checkpoints_are_removed_with_the_outcome(subject: Campaign) -> None:
    subject.save(0, batches=5)
    subject.save(0, batches=6)
    other = subject.save(1)
    subject.recorder.take(finished(0), group=0)
    # Not before the outcome stands in the ledger: a campaign that is killed now goes on from them.
    assert len(list(subject.checkpoints.iterdir())) == 3
    assert subject.told_on_disk == []
    subject.recorder.commit()
    assert [entry.name for entry in subject.checkpoints.iterdir()] == [other]
    assert subject.told_on_disk == ["candidate_ended"]


def test_interruption_is_told_once_and_a_stale_one_never_counts(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    name = subject.save(0)
    for _ in range(3):  # repeated until it is acknowledged
        subject.interrupt(0, "paused", epochs=0.5, checkpoint=name)
    assert subject.told == ["attempt_interrupted"]
    subject.recorder.start(subject.state.entries[0], group=1)
    subject.interrupt(0, "paused", epochs=0.5, checkpoint=name)  # its acknowledgement was lost
    assert subject.told == ["attempt_interrupted"]
    subject.interrupt(0, "drained", epochs=0.5, checkpoint=name, attempt=7)
    subject.interrupt(9, "drained", epochs=0.5, checkpoint=None)
    assert subject.told == ["attempt_interrupted", "interruption_ignored", "interruption_ignored"]
    assert subject.state.entries[0].state is State.RUNNING


def test_stale_checkpoint_of_an_ended_candidate_is_removed(subject: Campaign) -> None:
    subject.recorder.group_ended(0, lost_with_its_group())
    subject.recorder.start(subject.state.entries[0], group=1)
    subject.recorder.take(finished(0, attempt=1), group=1)
    subject.interrupt(0, "drained", epochs=0.5, checkpoint=subject.save(0))
    subject.recorder.commit()
    assert list(subject.checkpoints.iterdir()) == []


def test_journal_is_never_ahead_of_the_ledger(subject: Campaign) -> None:
    """A resumed campaign rests on the ledger: what the journal says beyond it would be told twice, or wrongly."""
    subject.observe(0, 1.0)
    subject.recorder.take(finished(0), group=0)
    assert subject.told_on_disk == []
    assert subject.history_on_disk == 0
    subject.agent.flush()  # as the feed does it, whatever the loop has committed by then
    assert subject.told_on_disk == ["candidate_ended"]
    assert subject.history_on_disk == subject.agent.version


def test_journal_waits_where_the_ledger_can_not_be_written(
    subject: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject.observe(0, 1.0)
    subject.recorder.take(finished(0), group=0)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        for _ in range(2):
            with pytest.raises(RecordError, match="Input/output error"):
                subject.agent.flush()
        assert (subject.told_on_disk, subject.history_on_disk) == ([], 0)
    subject.agent.flush()
    assert subject.told_on_disk == ["candidate_ended"]
    assert subject.history_on_disk == subject.agent.version


def test_one_turn_costs_one_write_to_the_disk(subject: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    subject.recorder.commit()
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    for number in range(3):
        subject.recorder.take(finished(number), group=0)
    subject.recorder.commit()
    subject.recorder.commit()  # nothing new
    assert len(forced) == 1
    assert subject.told_on_disk == ["candidate_ended"] * 3


def test_pause_whose_curve_was_not_heard_is_no_pause(subject: Campaign) -> None:
    """Who ranks candidates by what they showed at a rung must have heard what this one showed."""
    subject.observe(0, 0.5)
    subject.interrupt(0, "paused", epochs=1.0, checkpoint=subject.save(0))
    assert subject.state.paused == set()
    assert subject.state.next_queued(quarantined=False) is subject.state.entries[0]
    assert shown(subject.events) == [(0, 0.5)]


def test_pause_that_could_not_be_saved_begins_again(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    subject.interrupt(0, "paused", epochs=0.5, checkpoint=None)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.LOST)]
    assert subject.state.entries[0].unsaved_pauses == 1


@pytest.mark.parametrize("saved", [True, False])
def test_pause_that_a_dead_group_never_told_is_salvaged(subject: Campaign, saved: bool) -> None:
    subject.observe(0, 0.5)
    name = str(CheckpointName(candidate=0, attempt=0, batches=10))
    if saved:
        assert subject.save(0, batches=10) == name
    paused = protocol.Interrupted(
        trainer=0, candidate=0, attempt=0, how="paused", epochs=0.5, checkpoint=name
    )
    subject.recorder.group_ended(0, replace(lost_with_its_group(), recovered=[paused]))
    assert subject.state.paused == ({0} if saved else set())
    assert shown(subject.events)[1:] == [(0, Standing.PAUSED if saved else Standing.LOST)]


def test_killed_between_ledger_and_journal_is_made_good_for_those_set_aside(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        for number in range(3):
            first.observe(number, 0.5)
            first.interrupt(number, "paused", epochs=0.5, checkpoint=first.save(number))
        first.agent.flush()
        # What a kill keeps from the journal: 0 goes on, 1 goes on and is drained, 2 is settled.
        for number in (0, 1):
            first.ledger.append(AttemptStarted(candidate=number, attempt=1, group=1, time_s=1.0))
        first.ledger.append(
            AttemptInterrupted(
                candidate=1, attempt=1, group=1, how="drained", epochs=0.5, checkpoint="x", time_s=1.0
            )
        )
        settled = outcome(2, State.STOPPED, reason=Reason.RUNG, epochs=0.5)
        first.ledger.append(CandidateEnded(outcome=settled, group=0, history_version=9, time_s=1.0))
    with campaign(tmp_path) as second:
        for _ in range(2):  # once is enough
            second.reconcile()
            assert shown(second.events)[6:] == [(0, "resumed"), (1, "resumed"), (2, Standing.STOPPED)]


def test_pause_of_a_killed_campaign_stands_though_its_journal_was_cut(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        first.observe(0, 0.5)
        name = first.save(0)
        first.interrupt(0, "paused", epochs=0.5, checkpoint=name)
        journal = tmp_path / "history.jsonl"
        written = len(read_history(journal).events)  # what a kill at this moment leaves
        first.agent.flush()
        lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: written + 1]))
    with campaign(tmp_path) as second:
        assert shown(second.events) == [(0, 0.5)]
        second.reconcile()
        assert shown(second.events) == [(0, 0.5), (0, Standing.PAUSED)]
