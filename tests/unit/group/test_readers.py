"""Reading in situ: new rows of every rank file, and calm about files that are none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from hpc_nas.errors import RecordError
from hpc_nas.group import readers as module
from hpc_nas.group.readers import ObservationReaders
from hpc_nas.records import layout
from hpc_nas.records.ownership import foreign_number, is_foreign
from hpc_nas.records.rank_file import EstimatorFile, TrainerFile
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.values import Observation

NO_NOTIFICATIONS: frozenset[Path] = frozenset()


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[ObservationReaders]:
    """Every scan looks; how often it may is tested on its own."""
    subject = ObservationReaders(tmp_path, own=tmp_path / "rank-00002.h5", group=0, scan_interval_s=0.0)
    yield subject
    subject.close()


def observation(number: int, *, epoch: float) -> Observation:
    return Observation(
        candidate=number,
        attempt=1,
        epoch=epoch,
        val_accuracy=50.0 + epoch,
        val_loss=1.0,
        train_accuracy=51.0,
        train_loss=0.9,
        learning_rate=0.01,
        train_s=0.25,
        validate_s=0.05,
        time_s=1.7e9,
    )


def trainer_file(directory: Path, rank: int) -> TrainerFile:
    return TrainerFile(directory / f"rank-{rank:05d}.h5", group=0, rank=rank, device="cpu")


def foreign_writer(path: Path, *, without: str = "", dtype: np.dtype[Any] | None = None) -> RowFileWriter:
    """A row file of somebody else's, whose observations lack a field."""
    fields = [item for item in layout.OBSERVATION.descr if item[0] != without]
    tables = {"observations": dtype if dtype is not None else np.dtype(fields)}
    return RowFileWriter(path, tables=tables, attributes={"kind": "theirs"})


def found(rows: Iterator[tuple[Observation, float]], *, of: str = "") -> list[tuple[int, float]]:
    """(candidate, epoch); with the numbers that a foreign program gave them in this file."""
    known = {foreign_number(number, group=0, name=of): number for number in range(10)} if of else {}
    return [(known.get(row.candidate, row.candidate), row.epoch) for row, _ in rows]


def test_ring_brings_the_new_rows_of_one_file_once(readers: ObservationReaders, tmp_path: Path) -> None:
    with trainer_file(tmp_path, 0) as file:
        assert found(readers.read(file.path)) == []
        written = [observation(7, epoch=epoch) for epoch in (0.5, 1.0)]
        for row in written:
            file.append_observation(row)
        assert [row for row, _ in readers.read(file.path)] == written
        assert found(readers.read(file.path)) == []
        file.append_observation(observation(8, epoch=0.5))
        assert found(readers.read(file.path)) == [(8, 0.5)]


def test_lag_is_the_age_of_the_row(
    readers: ObservationReaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1.7e9 + 2.5))
    with trainer_file(tmp_path, 0) as file:
        file.append_observation(observation(7, epoch=0.5))
        assert [lag_s for _, lag_s in readers.read(file.path)] == [2.5]


def test_rows_that_nobody_rings_for_are_found(readers: ObservationReaders, tmp_path: Path) -> None:
    """A training program that is not ours streams into the same layout, under a name of its own."""
    assert found(readers.scan(notified=NO_NOTIFICATIONS)) == []
    ours = tmp_path / "rank-00000.h5"
    with trainer_file(tmp_path, 0) as notified, foreign_writer(tmp_path / "their-program.h5") as theirs:
        notified.append_observation(observation(1, epoch=0.5))
        row = observation(5, epoch=0.5)
        theirs.append("observations", tuple(row.model_dump().values()))
        number = foreign_number(5, group=0, name="their-program.h5")
        assert number is not None
        assert is_foreign(number)
        seen = [seen for seen, _ in readers.scan(notified=frozenset({ours}))]
        assert seen == [row.model_copy(update={"candidate": number})]
        assert found(readers.scan(notified=frozenset({ours}))) == []
        theirs.append("observations", tuple(observation(5, epoch=1.0).model_dump().values()))
        assert found(readers.scan(notified=frozenset({ours}))) == [(number, 1.0)]


def test_own_file_is_never_read(readers: ObservationReaders, tmp_path: Path) -> None:
    with EstimatorFile(tmp_path / "rank-00002.h5", group=0, rank=2, device="none"):
        assert found(readers.scan(notified=NO_NOTIFICATIONS)) == []


def test_scan_looks_no_more_often_than_its_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    readers = ObservationReaders(tmp_path, own=tmp_path / "rank-00002.h5", group=0, scan_interval_s=0.25)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=time.time, monotonic=lambda: now))
    assert found(readers.scan(notified=NO_NOTIFICATIONS)) == []
    with trainer_file(tmp_path, 0) as file:
        file.append_observation(observation(1, epoch=0.5))
        now = 100.2
        assert found(readers.scan(notified=NO_NOTIFICATIONS)) == []
        now = 100.25
        assert found(readers.scan(notified=NO_NOTIFICATIONS), of="rank-00000.h5") == [(1, 0.5)]
    readers.close()


# --- files that are none -------------------------------------------------------------------------------------


def write_plain_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(10)


def write_truncated(path: Path) -> None:
    with foreign_writer(path) as writer:
        for _ in range(10):
            writer.append("observations", tuple(observation(5, epoch=0.5).model_dump().values()))
    path.write_bytes(path.read_bytes()[:-2000])


def write_other_tables(path: Path) -> None:
    RowFileWriter(path, tables={"weights": np.dtype([("w", "<f8")])}, attributes={}).close()


def write_other_widths(path: Path) -> None:
    narrow = np.dtype([(name, "<f4") for name in layout.OBSERVATION.names or ()])
    with foreign_writer(path, dtype=narrow) as writer:
        writer.append("observations", (1.0,) * len(layout.OBSERVATION.names or ()))


def write_without(field: str) -> Any:
    def write(path: Path) -> None:
        with foreign_writer(path, without=field) as writer:
            row = observation(5, epoch=0.5).model_dump()
            row.pop(field)
            writer.append("observations", tuple(row.values()))

    return write


def write_impossible_row(path: Path) -> None:
    row = {**observation(5, epoch=0.5).model_dump(), "candidate": -1}
    with foreign_writer(path) as writer:
        writer.append("observations", tuple(row.values()))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("no HDF5 at all"),
        lambda path: path.mkdir(),
        write_plain_hdf5,
        write_truncated,
        write_other_tables,
        write_other_widths,
        write_without("epoch"),
        write_without("candidate"),
        write_without("time_s"),
        write_impossible_row,
    ],
)
def test_foreign_file_is_passed_over_and_its_neighbours_are_read(
    readers: ObservationReaders, tmp_path: Path, write: Any
) -> None:
    path = tmp_path / "aaa-foreign.h5"
    write(path)
    with pytest.raises((RecordError, ValueError)):
        found(readers.read(path))
    with trainer_file(tmp_path, 1) as file:
        file.append_observation(observation(1, epoch=0.5))
        assert found(readers.scan(notified=NO_NOTIFICATIONS), of="rank-00001.h5") == [(1, 0.5)]
        file.append_observation(observation(1, epoch=1.0))
        assert found(readers.scan(notified=NO_NOTIFICATIONS), of="rank-00001.h5") == [(1, 1.0)]


@pytest.mark.parametrize("begin", [b"", b"\x89HDF\r\n\x1a\n\x03\x08\x08\x01" + bytes(36)])
def test_file_that_is_still_being_born_is_read_once_it_is_there(
    readers: ObservationReaders, tmp_path: Path, begin: bytes
) -> None:
    path = tmp_path / "rank-00001.h5"
    path.write_bytes(begin)
    assert found(readers.read(path)) == []
    assert found(readers.scan(notified=NO_NOTIFICATIONS)) == []
    path.unlink()
    with trainer_file(tmp_path, 1) as file:
        file.append_observation(observation(1, epoch=0.5))
        assert found(readers.scan(notified=NO_NOTIFICATIONS), of="rank-00001.h5") == [(1, 0.5)]


def test_file_that_is_not_there_is_said_to_be_missing(readers: ObservationReaders, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        found(readers.read(tmp_path / "rank-00000.h5"))
    with trainer_file(tmp_path, 0) as file:
        file.append_observation(observation(1, epoch=0.5))
        assert found(readers.read(file.path)) == [(1, 0.5)]
