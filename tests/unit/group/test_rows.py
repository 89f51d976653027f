"""Rows of a group's trainers: from their files, or with their notifies where the files do not show them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hpc_nas.group.rows import Rows
from hpc_nas.group.wire import Notification
from hpc_nas.records import layout
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Observation
from tests.unit.group.test_readers import found, observation

FLAGS_OFFSET = 11  # in the superblock: writing, and SWMR
EPOCHS = (0.5, 1.0, 1.5)


@pytest.fixture
def files(tmp_path: Path) -> GroupFiles:
    directory = RunDirectory.create(tmp_path / "run")
    directory.create_group_dir(0)
    return GroupFiles(run_directory=directory, group=0)


@pytest.fixture
def rows(files: GroupFiles) -> Iterator[Rows]:
    subject = Rows(files, own_rank=2, was_placed=lambda trainer, key: key[0] != 99)
    yield subject
    subject.close()


def trainer_file(files: GroupFiles, rank: int) -> TrainerFile:
    return TrainerFile(files.rank_file_path(rank), group=0, rank=rank, device="cpu")


def write(file: TrainerFile, row: Observation) -> Notification:
    return Notification(index=file.append_observation(row), row=row)


def hide(path: Path) -> None:
    """Until its writer closes it the file looks as if that had never finished it: a reader's cache may be so stale."""
    with open(path, "r+b") as file:
        file.seek(FLAGS_OFFSET)
        file.write(b"\x01")


def test_rows_are_read_from_the_file_and_not_taken_twice(
    rows: Rows, files: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with trainer_file(files, 0) as file:
        notifications = [write(file, observation(7, epoch=epoch)) for epoch in EPOCHS]
        rows.notify(0, notifications[0])
        assert found(rows.read()) == [(7, epoch) for epoch in EPOCHS]
        for notify in notifications[1:]:
            rows.notify(0, notify)
        assert found(rows.read()) == []
    assert caplog.records == []


def test_row_of_an_attempt_that_its_trainer_was_never_given_is_passed_over(
    rows: Rows, files: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with trainer_file(files, 0) as file:
        rows.notify(0, write(file, observation(99, epoch=0.5)))
        rows.notify(0, write(file, observation(7, epoch=0.5)))
        assert found(rows.read()) == [(7, 0.5)]
    assert "a row of candidate 99 attempt 1, which this trainer was never given" in caplog.messages[0]


def test_rows_that_a_file_does_not_show_come_with_their_rings(
    rows: Rows, files: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with trainer_file(files, 0) as stale, trainer_file(files, 1) as sound, caplog.at_level(logging.WARNING):
        hide(files.rank_file_path(0))
        for epoch in EPOCHS:
            rows.notify(0, write(stale, observation(7, epoch=epoch)))
        rows.notify(1, write(sound, observation(8, epoch=0.5)))
        assert found(rows.read()) == [*((7, epoch) for epoch in EPOCHS), (8, 0.5)]
        rows.notify(0, write(stale, observation(7, epoch=2.0)))
        assert found(rows.read_of(0)) == [(7, 2.0)]
    (message,) = caplog.messages
    assert message.startswith(
        f"{files.rank_file_path(0)} does not show its rows while they are written (row 0 "
    )


def test_a_row_whose_bytes_have_not_come_is_taken_from_its_ring(rows: Rows, files: GroupFiles) -> None:
    """The counter is there and the row is still zeros: what the order of writes would exclude."""
    tables = {"observations": layout.OBSERVATION}
    row = observation(7, epoch=0.5)
    with RowFileWriter(files.rank_file_path(0), tables=tables, attributes={"kind": "trainer"}) as file:
        file.append("observations", np.zeros((), dtype=layout.OBSERVATION))
        rows.notify(0, Notification(index=0, row=row))
        assert [each for each, _ in rows.read()] == [row]


def test_a_row_that_has_come_in_part_is_taken_from_its_ring(
    rows: Rows, files: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [observation(7, epoch=epoch).model_copy(update={"val_loss": float("nan")}) for epoch in EPOCHS]
    with trainer_file(files, 0) as file, caplog.at_level(logging.WARNING):
        rows.notify(0, write(file, whole[0]))
        assert [row.epoch for row, _ in rows.read()] == [0.5]  # one that is not a number is equal to itself
        assert caplog.messages == []
        index = file.append_observation(whole[1].model_copy(update={"val_accuracy": 0.0}))
        rows.notify(0, Notification(index=index, row=whole[1]))
        rows.notify(0, write(file, whole[2]))
        assert [(row.epoch, row.val_accuracy) for row, _ in rows.read()] == [(1.0, 51.0), (1.5, 51.5)]
    (message,) = caplog.messages
    assert "(row 1 is another one there)" in message


def test_a_file_that_can_not_be_read_costs_no_row(
    rows: Rows, files: GroupFiles, caplog: pytest.LogCaptureFixture
) -> None:
    files.rank_file_path(0).write_bytes(b"no HDF5 at all")
    notifications = [
        Notification(index=index, row=observation(7, epoch=epoch)) for index, epoch in enumerate(EPOCHS)
    ]
    with caplog.at_level(logging.WARNING):
        for notify in notifications:
            rows.notify(0, notify)
            assert [each for each, _ in rows.read()] == [notify.row]
    assert len(caplog.messages) == 1


def test_a_ring_brings_its_row_bit_by_bit() -> None:
    row = observation(7, epoch=1.0 / 3.0).model_copy(update={"val_loss": float("nan"), "train_s": 0.1 + 0.2})
    there = Notification.model_validate_json(Notification(index=3, row=row).model_dump_json())
    assert (there.index, repr(there.row)) == (3, repr(row))
