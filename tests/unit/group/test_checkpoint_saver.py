"""Checkpoints written beside the training: answered, replaced, given up, forgotten; and taken up again."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.group import checkpoint_saver
from hpc_nas.group.attempt_checkpoints import AttemptCheckpoints
from hpc_nas.group.checkpoint_saver import Answer, CheckpointSaver
from hpc_nas.group.protocol import Assignment
from hpc_nas.records.checkpoint_files import CheckpointName
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.training.checkpoint import Checkpoint, Occasion, TrainingPosition
from hpc_nas.training.checkpoint_file import Origin, write_checkpoint
from hpc_nas.values import Candidate
from tests.disks import tiny_disk

ORIGIN = Origin(training="{}", space="{}", data="abc")
CPU = torch.device("cpu")
DEADLINE_S = 240.0


def candidate(number: int = 1) -> Candidate:
    return Candidate(number=number, seed=7, parameters={}, num_parameters=1, num_layers=1, macs=1)


def checkpoint(number: int = 1, *, batches: int = 10, attempt: int = 0, num_weights: int = 8) -> Checkpoint:
    position = TrainingPosition(
        candidate=candidate(number),
        attempt=attempt,
        device="cpu",
        epochs=0.5,
        batches=batches,
        train_s=0.0,
        validate_s=0.0,
        observations=(),
    )
    return Checkpoint(position=position, state={"weights": torch.ones(num_weights)})


def name(number: int = 1, *, batches: int = 10, attempt: int = 0) -> str:
    return str(CheckpointName(candidate=number, batches=batches, attempt=attempt))


@pytest.fixture
def run_directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run")


@pytest.fixture
def shared(run_directory: RunDirectory) -> GroupFiles:
    return GroupFiles(run_directory=run_directory, group=0)


@pytest.fixture
def local(run_directory: RunDirectory, tmp_path: Path) -> GroupFiles:
    return GroupFiles(run_directory=run_directory, group=0, local_dir=tmp_path / "scratch")


class Gate:
    """Holds every write until it is opened; says when one has come to it."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.reached = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def write(self, path: Path, content: Checkpoint, *, origin: Origin) -> None:
        self.reached.set()
        assert self._opened.wait(DEADLINE_S)
        write_checkpoint(path, content, origin=origin)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(checkpoint_saver, "write_checkpoint", gate.write)
    yield gate
    gate.open()


def lying(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.is_dir() else []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.001)


def answers(saver: CheckpointSaver) -> list[Answer]:
    """All that come while it finishes."""
    return saver.close(timeout_s=DEADLINE_S)


def test_planned_ones_are_each_answered_with_their_names(shared: GroupFiles) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    for number in range(3):
        saver.save(checkpoint(number, attempt=number), timeout_s=DEADLINE_S)
    expected = [
        Answer(candidate=number, attempt=number, epochs=0.5, checkpoint=name(number, attempt=number))
        for number in range(3)
    ]
    assert answers(saver) == expected
    assert lying(shared.run_directory.checkpoints_dir) == [answer.checkpoint for answer in expected]


def test_those_of_planned_ends_go_to_the_run_directory_and_periodic_ones_stay_on_the_node(
    local: GroupFiles,
) -> None:
    saver = CheckpointSaver(local, origin=ORIGIN)
    saver.keep(checkpoint(2, batches=20))
    until(lambda: lying(local.periodic_checkpoints_dir) == [name(2, batches=20)])
    assert lying(local.run_directory.checkpoints_dir) == []
    saver.save(checkpoint(1), timeout_s=DEADLINE_S)
    assert [answer.checkpoint for answer in answers(saver)] == [name(1)]
    assert lying(local.run_directory.checkpoints_dir) == [name(1)]
    assert lying(local.periodic_checkpoints_dir) == [name(2, batches=20)]


def test_a_new_one_takes_the_place_of_the_candidate_s_older_ones(local: GroupFiles) -> None:
    for directory in (local.run_directory.checkpoints_dir, local.periodic_checkpoints_dir):
        for older in (checkpoint(1, batches=5), checkpoint(1, batches=9), checkpoint(2, batches=5)):
            path = directory / name(older.position.candidate.number, batches=older.position.batches)
            write_checkpoint(path, older, origin=ORIGIN)
    saver = CheckpointSaver(local, origin=ORIGIN)
    saver.save(checkpoint(1, batches=10, attempt=1), timeout_s=DEADLINE_S)
    answers(saver)
    assert lying(local.run_directory.checkpoints_dir) == [name(1, batches=10, attempt=1), name(2, batches=5)]
    assert lying(local.periodic_checkpoints_dir) == [name(2, batches=5)]


def test_a_periodic_one_that_waits_gives_way_to_the_next(shared: GroupFiles, gate: Gate) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.keep(checkpoint(batches=1))
    assert gate.reached.wait(DEADLINE_S)
    saver.keep(checkpoint(batches=2))
    saver.keep(checkpoint(batches=3))
    gate.open()
    until(lambda: lying(shared.run_directory.checkpoints_dir) == [name(batches=3)])
    assert answers(saver) == []


def test_planned_ones_come_before_a_periodic_one(shared: GroupFiles, gate: Gate) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.save(checkpoint(1), timeout_s=DEADLINE_S)
    assert gate.reached.wait(DEADLINE_S)
    saver.keep(checkpoint(3))
    saver.save(checkpoint(2), timeout_s=DEADLINE_S)
    gate.open()
    assert [answer.checkpoint for answer in answers(saver)] == [name(1), name(2)]
    assert lying(shared.run_directory.checkpoints_dir) == [
        name(1),
        name(2),
    ]  # it was not planned, and we leave


def test_handing_over_waits_for_no_write(shared: GroupFiles, gate: Gate) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.save(checkpoint(1), timeout_s=0.0)
    assert gate.reached.wait(DEADLINE_S)
    saver.save(checkpoint(2), timeout_s=0.0)
    saver.keep(checkpoint(3))
    saver.forget(3)
    assert saver.take() is None
    assert saver.busy
    gate.open()
    until(lambda: not saver.busy)
    assert saver.take() == Answer(candidate=1, attempt=0, epochs=0.5, checkpoint=name(1))


def test_a_disk_that_falls_behind_fills_no_memory(shared: GroupFiles, gate: Gate) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    for number in range(5):
        saver.save(checkpoint(number), timeout_s=0.0)
    refused = [saver.take(), saver.take()]
    assert [answer and (answer.candidate, answer.checkpoint) for answer in refused] == [(3, None), (4, None)]
    assert refused[0] is not None
    assert "3 checkpoints wait to be written" in refused[0].message
    gate.open()
    assert [answer.checkpoint for answer in answers(saver)] == [name(0), name(1), name(2)]


def test_a_disk_that_hangs_keeps_no_rank(shared: GroupFiles, gate: Gate) -> None:
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.save(checkpoint(1), timeout_s=0.0)
    assert saver.close(timeout_s=0.05) == [
        Answer(
            candidate=1,
            attempt=0,
            epochs=0.5,
            checkpoint=None,
            message="its checkpoint could not be written within 0.05 s",
        )
    ]


def test_a_full_disk_is_answered_and_logged_and_harms_nothing_else(
    run_directory: RunDirectory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_directory.checkpoints_dir.mkdir()
    with tiny_disk(run_directory.checkpoints_dir, num_bytes=1 << 16) as disk:
        saver = CheckpointSaver(GroupFiles(run_directory=run_directory, group=0), origin=ORIGIN)
        saver.keep(checkpoint(1, batches=1, num_weights=1 << 20))
        until(lambda: "no checkpoint at epoch 0.5" in caplog.text)
        saver.save(checkpoint(1, batches=2, num_weights=1 << 20), timeout_s=DEADLINE_S)
        saver.save(checkpoint(2, batches=3), timeout_s=DEADLINE_S)
        full, small = answers(saver)
        assert full.checkpoint is None
        assert full.message == f"{disk / name(1, batches=2)} can't be written: No space left on device"
        assert small.checkpoint == name(2, batches=3)
        assert lying(disk) == [name(2, batches=3)]
    assert "candidate 1 attempt 0: no checkpoint at epoch 0.5" in caplog.text


def test_a_directory_that_can_t_be_listed_ends_no_writing(
    shared: GroupFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(path: Path) -> list[str]:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "listdir", stale)
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.save(checkpoint(1), timeout_s=DEADLINE_S)
    saver.save(checkpoint(2), timeout_s=DEADLINE_S)
    saver.forget(3)
    assert [answer.checkpoint for answer in saver.close(timeout_s=DEADLINE_S)] == [name(1), name(2)]


def test_of_a_candidate_that_has_ended_nothing_appears_later(shared: GroupFiles, gate: Gate) -> None:
    """The campaign may have removed its checkpoints by then. What lies there is the campaign's."""
    earlier = shared.run_directory.checkpoints_dir / name(1, batches=5)
    write_checkpoint(earlier, checkpoint(1, batches=5), origin=ORIGIN)
    saver = CheckpointSaver(shared, origin=ORIGIN)
    saver.keep(checkpoint(1, batches=10))
    assert gate.reached.wait(DEADLINE_S)
    saver.keep(checkpoint(1, batches=15))
    saver.forget(1)
    gate.open()
    answers(saver)
    assert lying(shared.run_directory.checkpoints_dir) == [earlier.name]


def test_of_a_candidate_that_has_ended_nothing_stays_on_the_node(local: GroupFiles) -> None:
    saver = CheckpointSaver(local, origin=ORIGIN)
    saver.keep(checkpoint(1))
    until(lambda: lying(local.periodic_checkpoints_dir) == [name(1)])
    saver.forget(1)
    assert lying(local.periodic_checkpoints_dir) == []
    answers(saver)


# --- one attempt -------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def attempt(
    files: GroupFiles,
    *,
    start: str | None = None,
    section: CheckpointsSection | None = None,
    origin: Origin = ORIGIN,
    clock: Callable[[], float] = time.monotonic,
) -> AttemptCheckpoints:
    return AttemptCheckpoints(
        Assignment(candidate=candidate(), attempt=1, checkpoint=start),
        section=section or CheckpointsSection(),
        files=files,
        origin=origin,
        device=CPU,
        saver=CheckpointSaver(files, origin=origin),
        clock=clock,
    )


def test_one_is_due_an_interval_after_the_start_or_the_last_one(shared: GroupFiles) -> None:
    clock = Clock()
    checkpoints = attempt(shared, section=CheckpointsSection(interval_s=60.0), clock=clock)
    due = []
    for now in (100.0, 159.0, 160.0, 161.0, 225.0):
        clock.now = now
        due.append(checkpoints.wanted(Occasion.VALIDATED))
        if due[-1]:
            checkpoints.keep(checkpoint())
    assert due == [False, False, True, False, True]
    assert checkpoints.wanted(Occasion.LEAVING)


def test_none_is_wanted_where_they_are_switched_off(shared: GroupFiles) -> None:
    checkpoints = attempt(shared, section=CheckpointsSection(enabled=False, interval_s=0.0))
    assert not any(checkpoints.wanted(occasion) for occasion in Occasion)


def test_an_attempt_without_a_checkpoint_begins_from_the_start(
    shared: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    assert attempt(shared).load() is None
    assert caplog.text == ""


@pytest.mark.parametrize("where", ["shared", "local"])
def test_the_named_one_is_found_in_the_run_directory_or_on_the_node(local: GroupFiles, where: str) -> None:
    directories = {"shared": local.run_directory.checkpoints_dir, "local": local.periodic_checkpoints_dir}
    write_checkpoint(directories[where] / name(), checkpoint(), origin=ORIGIN)
    found = attempt(local, start=name()).load()
    assert found is not None
    assert found.position == checkpoint().position


@pytest.mark.parametrize("start", [name(), f"../{name()}", "/etc/passwd", ""])
def test_one_that_is_not_there_begins_from_the_start(
    shared: GroupFiles, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(shared.run_directory.path / name(), checkpoint(), origin=ORIGIN)  # outside
    assert attempt(shared, start=start).load() is None
    assert f"candidate 1 attempt 1 begins from the start: no checkpoint {start!r}" in caplog.text


def test_one_that_can_t_be_used_is_tried_once_and_kept_for_people(
    shared: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    directory = shared.run_directory.checkpoints_dir
    write_checkpoint(directory / name(), checkpoint(), origin=ORIGIN)
    other = ORIGIN.model_copy(update={"data": "new"})
    assert attempt(shared, start=name(), origin=other).load() is None
    assert "candidate 1 attempt 1 begins from the start" in caplog.text
    assert "of another [data]: abc; now new" in caplog.text
    assert lying(directory) == [f"{name()}.unusable"]
    assert attempt(shared, start=name()).load() is None


def test_one_that_does_not_fit_is_never_tried_again(shared: GroupFiles) -> None:
    """Else each attempt would begin from the start, and leave one that is less far than this."""
    directory = shared.run_directory.checkpoints_dir
    write_checkpoint(directory / name(batches=90), checkpoint(batches=90), origin=ORIGIN)
    checkpoints = attempt(shared, start=name(batches=90))
    assert checkpoints.load() is not None
    checkpoints.refuse()
    assert lying(directory) == [f"{name(batches=90)}.unusable"]


@pytest.mark.parametrize("where", ["shared", "local"])
def test_a_later_one_that_has_taken_the_place_of_the_named_one_is_used(local: GroupFiles, where: str) -> None:
    """An assignment may wait long for a free trainer, and a late drain may bring a later checkpoint meanwhile."""
    directories = {"shared": local.run_directory.checkpoints_dir, "local": local.periodic_checkpoints_dir}
    for number, batches in ((1, 5), (1, 20), (2, 30)):
        write_checkpoint(
            directories[where] / name(number, batches=batches),
            checkpoint(number, batches=batches),
            origin=ORIGIN,
        )
    found = attempt(local, start=name(batches=10)).load()
    assert found is not None
    assert found.position.batches == 20


def test_one_whose_disk_fails_begins_from_the_start_and_stays(
    shared: GroupFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    directory = shared.run_directory.checkpoints_dir
    write_checkpoint(directory / name(), checkpoint(), origin=ORIGIN)
    shutil.copy(directory / name(), directory / name(2))

    def stale(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "open", stale)
    assert attempt(shared, start=name()).load() is None
    assert "can't be read: Stale file handle" in caplog.text
    assert name() in lying(directory)
