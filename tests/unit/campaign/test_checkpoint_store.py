"""What lies in the run directory to go on from, as the campaign sees it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recorder_helpers import Campaign, finished

from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.configuration.schema import CheckpointsSection


def test_sweep_removes_what_nobody_goes_on_from(subject: Campaign) -> None:
    subject.recorder.take(finished(0), group=0)
    kept = subject.save(1)
    subject.save(0)  # written after its outcome
    subject.save(77)  # of no candidate
    foreign = subject.checkpoints / "notes.txt"
    foreign.touch()
    CheckpointStore(subject.checkpoints, section=CheckpointsSection()).sweep(subject.state)
    assert sorted(entry.name for entry in subject.checkpoints.iterdir()) == sorted([kept, foreign.name])


@pytest.mark.parametrize("enabled", [True, False])
def test_nothing_goes_on_where_checkpoints_are_off(subject: Campaign, enabled: bool) -> None:
    name = subject.save(0)
    store = CheckpointStore(subject.checkpoints, section=CheckpointsSection(enabled=enabled))
    assert store.latest(0) == (name if enabled else None)
    assert store.holds(name) is enabled


def test_missing_directory_holds_nothing(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "none", section=CheckpointsSection())
    assert store.latest(0) is None
    store.remove(0)
    store.tidy()


def test_directory_is_listed_neither_for_each_end_nor_for_a_checkpoint_that_is_known(
    subject: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold many thousands, on a shared file system."""
    names = [subject.save(number) for number in range(3)]
    now = 100.0
    store = CheckpointStore(subject.checkpoints, section=CheckpointsSection(), clock=lambda: now)
    lists: list[Path] = []
    list_there = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: lists.append(path) or list_there(path))
    assert store.latest(2, known=names[2]) == names[2]
    for number in (0, 1):
        store.remove(number)
        store.tidy()
        now += 4.0
    assert sorted(list_there(subject.checkpoints)) == names[1:]
    now += 4.0
    store.tidy()
    store.tidy()
    assert len(lists) == 2
    assert list_there(subject.checkpoints) == names[2:]
    assert store.latest(2, known=names[0]) == names[2]  # the one that was named is gone


def test_a_directory_that_can_t_be_read_is_swept_another_time(
    subject: Campaign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stale(path: Path) -> list[str]:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "listdir", stale)
    CheckpointStore(subject.checkpoints, section=CheckpointsSection()).sweep(subject.state)
    assert "nothing to sweep there" in caplog.text
