"""Pages that a disk has lost or changed: told in bounded time, and no figure is other than it was written."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from records_helpers import observation
from run_helpers import finished_run, leave, states, train

from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.archive import assemble, load_record, read_archive, read_unsealed_archive, write_archive
from hpc_nas.records.rank_file import EstimatorFile, TrainerFile, read_rank_file
from hpc_nas.records.row_file import RowFileReader
from hpc_nas.records.time_limit import within_time_limit

PAGE = 4096
SIZE = {"observations": 400, "attempts": 20}


def damaged(data: bytes, *, page: int = PAGE) -> Iterator[tuple[str, bytes]]:
    """Each page in turn: lost, inverted, and with one bit changed."""
    chance = random.Random(1)
    for start in range(0, len(data), page):
        end = min(start + page, len(data))
        place = chance.randrange(start, end)
        contents = {
            "lost": bytes(end - start),
            "inverted": bytes(value ^ 0xFF for value in data[start:end]),
            "bit": data[start:place]
            + bytes([data[place] ^ 1 << chance.randrange(8)])
            + data[place + 1 : end],
        }
        for how, content in contents.items():
            if content != data[start:end]:
                yield f"{how} at {start}", data[:start] + content + data[end:]


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[TrainerFile]:
    with TrainerFile(tmp_path / "rank-00000.h5", group=0, rank=0, device="cpu") as file:
        for number in range(SIZE["attempts"]):
            train(file, number, attempt=0, epochs=[0.5 * (i + 1) for i in range(20)])
            leave(file, number, attempt=0, epochs=10.0)
        yield file


@pytest.mark.parametrize("closed", [True, False])
def test_rank_file_with_a_damaged_page_gives_sound_rows_alone_and_says_what_is_lost(
    trained: TrainerFile, tmp_path: Path, closed: bool
) -> None:
    if closed:
        trained.close()
    data = trained.path.read_bytes()
    truth = {
        name: set(map(repr, rows.tolist())) for name, rows in read_rank_file(trained.path).tables.items()
    }
    seen = set()
    for what, content in damaged(data):
        path = tmp_path / "copy.h5"
        path.write_bytes(content)
        try:
            found = read_rank_file(path)
        except RecordError:
            seen.add("refused")
            continue
        seen.add("in part")
        for name, rows in found.tables.items():
            assert set(map(repr, rows.tolist())) <= truth[name], what
            told = any(
                f"{SIZE[name] - len(rows)} of {SIZE[name]} rows of table {name!r}" in text
                for text in found.problems
            )
            assert told == (len(rows) < SIZE[name]), what
    assert seen == {"refused", "in part"}


def test_counter_that_says_less_than_there_is_is_no_counter(trained: TrainerFile, tmp_path: Path) -> None:
    trained.close()
    with h5py.File(trained.path, "r+") as file:
        file["commit"][...] = np.zeros(1, dtype=file["commit"].dtype)
    with pytest.raises(RecordError, match="its counter says 0 rows of table 'observations', which has 400"):
        RowFileReader(trained.path)


def test_chunk_whose_writer_was_killed_in_the_middle_of_a_row_keeps_the_rows_before(
    trained: TrainerFile, tmp_path: Path
) -> None:
    """Part of the new row is there, the checksum is that of the rows before it, the counter does not know it."""
    trained.append_observation(observation(99, epoch=0.5))
    before = read_rank_file(trained.path).tables["observations"]
    data = bytearray(trained.path.read_bytes())
    with RowFileReader(trained.path) as reader:
        chunk = reader._tables["observations"].id.get_chunk_info_by_coord((400,))
    place = chunk.byte_offset + layout.OBSERVATION.itemsize
    data[place : place + 30] = b"\x01" * 30
    path = tmp_path / "killed.h5"
    path.write_bytes(data)
    found = read_rank_file(path)
    assert found.problems == ()
    assert found.tables["observations"].tolist() == before.tolist()


def test_every_table_of_every_file_has_checksums(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    write_archive(assemble(directory), directory.archive_path)
    paths = [directory.rank_file_path(0, 0), directory.rank_file_path(0, 1), directory.archive_path]
    for path in paths:
        with h5py.File(path, "r") as file:
            names = [name for name in file if name != "parameters" and len(file[name])]
            assert names
            assert all(file[name].fletcher32 for name in names)


# --- archives --------------------------------------------------------------------------------------------------


def test_archive_with_a_damaged_page_is_refused_alone_and_passed_over_in_its_run_directory(
    tmp_path: Path,
) -> None:
    directory = finished_run(tmp_path / "run")
    write_archive(assemble(directory), directory.archive_path)
    whole = directory.archive_path.read_bytes()
    for what, content in damaged(whole):
        directory.archive_path.write_bytes(content)
        if b"\nhpc-nas sha256 " not in content[-80:]:
            continue  # its end is what was lost: see below
        with pytest.raises(RecordError, match=r"campaign\.h5: damaged: its checksum does not hold"):
            read_archive(directory.archive_path)
        record = load_record(directory.path)
        assert states(record) == ["stopped"], what
        assert "campaign.h5: damaged" in record.problems[0]


def test_archive_that_has_lost_its_end_is_read_with_a_time_limit_and_said_to_be_unsure(
    tmp_path: Path,
) -> None:
    directory = finished_run(tmp_path / "run")
    write_archive(assemble(directory), directory.archive_path)
    whole = directory.archive_path.read_bytes()
    directory.archive_path.write_bytes(whole[:-40])
    record = read_archive(directory.archive_path)
    assert states(record) == ["stopped"]
    assert record.problems[0].startswith(f"{directory.archive_path}: has no checksum")


def test_reading_that_comes_to_no_end_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "campaign.h5"
    os.mkfifo(path)  # nobody ever writes there
    with pytest.raises(RecordError, match=r"campaign\.h5: damaged: HDF5 has come to no end with it in 1 s"):
        within_time_limit(read_unsealed_archive, path, limit_s=1.0)


def test_reading_that_dies_is_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "campaign.h5"
    path.touch()
    with pytest.raises(RecordError, match=r"campaign\.h5: damaged: the process that read it died"):
        within_time_limit(os.kill, path)


# --- rows that can't be ------------------------------------------------------------------------------------------


def test_rows_of_zeros_are_no_rows(tmp_path: Path) -> None:
    """What a page of zeros holds, even with the checksum of zeros."""
    path = tmp_path / "rank-00001.h5"
    with EstimatorFile(path, group=0, rank=1, device="none") as file:
        for name, dtype in layout.ESTIMATOR_TABLES.items():
            file._writer.append(name, np.zeros((), dtype=dtype))
    content = read_rank_file(path)
    assert [len(rows) for rows in content.tables.values()] == [0, 0]
    assert len(content.problems) == 2
    path = tmp_path / "rank-00000.h5"
    with TrainerFile(path, group=0, rank=0, device="cpu") as trainer:
        train(trainer, 0, attempt=0, epochs=[0.5])
        for name, dtype in layout.TRAINER_TABLES.items():
            trainer._writer.append(name, np.zeros((), dtype=dtype))
    found = read_rank_file(path)
    assert {name: len(rows) for name, rows in found.tables.items()} == {"observations": 1, "attempts": 0}
    assert any("1 of 2 rows of table 'observations' are lost" in text for text in found.problems)
