"""A group's files come from its node's disk to the run directory: whole, all of them, whatever happened meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import threading
from pathlib import Path

import pytest

from hpc_nas.records.checkpoint_files import CheckpointName, find_checkpoints
from hpc_nas.records.draining import Drainer
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.hdf5 import Condition, condition_of
from hpc_nas.records.rank_file import EstimatorFile, TrainerFile, read_rank_file
from hpc_nas.records.row_file import RowFileReader
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Reason, State
from tests.disks import tiny_disk
from tests.unit.records.records_helpers import observation, outcome

NUM_KILLS = 20


def make_files(tmp_path: Path, *, shared: Path | None = None) -> GroupFiles:
    directory = RunDirectory.create(shared if shared is not None else tmp_path / "run")
    directory.create_group_dir(0)
    local_dir = tmp_path / "local"
    (local_dir / "checkpoints").mkdir(parents=True)
    return GroupFiles(run_directory=directory, group=0, local_dir=local_dir)


def trainer_file(files: GroupFiles, rank: int = 0) -> TrainerFile:
    return TrainerFile(files.rank_file_path(rank), group=0, rank=rank, device="cpu")


def shared_path(files: GroupFiles, rank: int = 0) -> Path:
    return files.run_directory.rank_file_path(0, rank)


def assert_same(files: GroupFiles, rank: int = 0) -> None:
    """The drained copy holds what the local file holds, and is a file that anything can open."""
    local, shared = read_rank_file(files.rank_file_path(rank)), read_rank_file(shared_path(files, rank))
    assert shared.attributes == local.attributes
    # As bytes: NaN equals itself there.
    assert {name: (rows.dtype, rows.tobytes()) for name, rows in shared.tables.items()} == {
        name: (rows.dtype, rows.tobytes()) for name, rows in local.tables.items()
    }
    assert condition_of(shared_path(files, rank)) is Condition.CLOSED


def checkpoint(
    files: GroupFiles, *, candidate: int, batches: int, content: bytes = b"weights"
) -> CheckpointName:
    name = CheckpointName(candidate=candidate, batches=batches, attempt=0)
    (files.periodic_checkpoints_dir / str(name)).write_bytes(content)
    return name


def shared_checkpoints(files: GroupFiles) -> list[CheckpointName]:
    return find_checkpoints(files.run_directory.checkpoints_dir)


def append_attempt(file: TrainerFile, number: int) -> None:
    file.append_attempt(
        candidate=number,
        attempt=0,
        received_time=1.0,
        first_batch_time=2.0,
        signal_time=float("nan"),
        left_time=3.0,
        start_epoch=0.0,
        start_batch=0,
        epochs=0.5,
        batches=7,
        train_s=1.0,
        validate_s=1.0,
        last_batch_s=0.1,
        state=State.FINISHED,
        reason=Reason.FULL_BUDGET,
    )


def test_rows_of_a_living_writer_are_drained_as_they_come(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    drainer = Drainer(files)
    with (
        trainer_file(files) as trainer,
        EstimatorFile(files.rank_file_path(1), group=0, rank=1, device="none") as estimator,
    ):
        for number in range(3):
            trainer.append_observation(observation(number))
            append_attempt(trainer, number)
            estimator.append_outcome(
                outcome(number), trainer=0, decided_time=1.0, signal_time=1.0, ended_time=2.0
            )
            assert drainer.drain() == []
            assert_same(files)
            assert_same(files, rank=1)
    assert drainer.drain_all() == []
    assert_same(files)


def test_file_that_has_not_changed_is_left_alone_until_the_end(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    kill_a_writer(files, after_rows=1, generator=random.Random(3))
    drainer = Drainer(files)
    drainer.drain()
    first = shared_path(files).stat().st_ino
    drainer.drain()
    assert shared_path(files).stat().st_ino == first
    drainer.drain_all()
    assert shared_path(files).stat().st_ino != first


def test_file_that_is_being_born_waits_for_the_next_drain(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    files.rank_file_path(0).write_bytes(b"")
    assert Drainer(files).drain() == []
    assert not shared_path(files).exists()


def test_file_that_is_no_rank_file_goes_over_as_it_is_at_the_end(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    foreign = files.rank_files_dir / "other.h5"
    foreign.write_bytes(b"what another program wrote")
    drainer = Drainer(files)
    (problem,) = drainer.drain()
    assert "other.h5: not an HDF5 file" in problem
    assert drainer.drain_all() == []
    assert (files.run_directory.group_dir(0) / "other.h5").read_bytes() == foreign.read_bytes()


def append_until_killed(files: GroupFiles, acknowledge: int) -> None:
    with trainer_file(files) as trainer:
        for number in range(10**6):
            trainer.append_observation(observation(number))
            os.write(acknowledge, b".")


def test_no_row_of_a_killed_writer_is_lost_and_no_reader_sees_a_torn_file(tmp_path: Path) -> None:
    generator = random.Random(11)
    torn: list[str] = []
    for kill in range(NUM_KILLS):
        files = make_files(tmp_path / str(kill))
        done = threading.Event()
        reader = threading.Thread(target=read_until, args=(shared_path(files), done, torn))
        reader.start()
        try:
            acknowledged = kill_a_writer(files, after_rows=generator.randrange(1, 120), generator=generator)
        finally:
            done.set()
            reader.join()
        assert Drainer(files).drain_all() == []
        assert_same(files)
        drained = read_rank_file(shared_path(files)).tables["observations"]
        assert drained["candidate"].tolist() == list(range(len(drained)))
        assert acknowledged <= len(drained) <= acknowledged + 1
    assert torn == []


def kill_a_writer(files: GroupFiles, *, after_rows: int, generator: random.Random) -> int:
    """A writer drained while it writes, and killed at some moment; how many rows it had acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # never returns into the test
        try:
            os.close(reading)
            append_until_killed(files, writing)
        finally:
            os._exit(1)
    os.close(writing)
    drainer, acknowledged = Drainer(files), 0
    try:
        while acknowledged < after_rows:
            received = os.read(reading, generator.choice([1, 16]))
            assert received, "the writer died by itself"
            acknowledged += len(received)
            assert drainer.drain() == []
        # The moment within the next append; nobody writes to this one, so it is a pure delay of microseconds.
        select.select([], [], [], generator.uniform(0.0, 0.002))
        os.kill(child, signal.SIGKILL)
        while received := os.read(reading, 65536):
            acknowledged += len(received)
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    return acknowledged


def read_until(path: Path, done: threading.Event, torn: list[str]) -> None:
    """Open the shared file again and again, as a report would."""
    seen = 0
    while not done.is_set():
        if not path.exists():
            continue
        try:
            with RowFileReader(path) as reader:
                numbers = reader.read_all("observations")["candidate"].tolist()
        except Exception as error:
            torn.append(repr(error))
            return
        if numbers != list(range(len(numbers))) or len(numbers) < seen:
            torn.append(f"{len(numbers)} rows after {seen}")
        seen = len(numbers)


def test_full_shared_disk_is_told_and_the_next_drain_makes_good_for_it(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "shared", num_bytes=256 << 10) as disk:
        files = make_files(tmp_path, shared=disk / "run")
        drainer = Drainer(files)
        with trainer_file(files) as trainer:
            trainer.append_observation(observation(0))
            assert drainer.drain() == []
            name = checkpoint(files, candidate=0, batches=5, content=b"w" * 9000)
            fill(disk / "filler")
            for number in range(1, 40):
                trainer.append_observation(observation(number))
            problems = drainer.drain()
            assert len(problems) == 2
            assert all("No space left on device" in problem for problem in problems)
            # What was there stays whole, and what could not be copied stays where it is.
            assert read_rank_file(shared_path(files)).tables["observations"]["candidate"].tolist() == [0]
            assert shared_checkpoints(files) == []
            assert len(drainer.drain_all()) == 2
            (disk / "filler").unlink()
        assert drainer.drain_all() == []
        assert_same(files)
        assert shared_checkpoints(files) == [name]
        left = [entry.name for entry in files.run_directory.path.rglob("*.tmp")]
        assert left == []


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 4096)


def test_latest_checkpoint_of_each_candidate_replaces_the_earlier_ones(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    drainer = Drainer(files)
    first = checkpoint(files, candidate=3, batches=10)
    assert drainer.drain() == []
    assert shared_checkpoints(files) == [first]
    second = checkpoint(files, candidate=3, batches=20, content=b"more weights")
    other = checkpoint(files, candidate=4, batches=5)
    assert drainer.drain() == []
    assert shared_checkpoints(files) == [second, other]
    path = files.run_directory.checkpoints_dir / str(second)
    assert path.read_bytes() == b"more weights"


def test_checkpoint_that_the_campaign_has_removed_does_not_come_back(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    drainer = Drainer(files)
    name = checkpoint(files, candidate=3, batches=10)
    drainer.drain()
    (files.run_directory.checkpoints_dir / str(name)).unlink()
    drainer.drain()
    assert drainer.drain_all() == []
    assert shared_checkpoints(files) == []


def test_checkpoint_that_is_behind_the_shared_one_stays_where_it_is(tmp_path: Path) -> None:
    """A planned end writes its checkpoint into the run directory at once."""
    files = make_files(tmp_path)
    checkpoint(files, candidate=3, batches=10)
    planned = CheckpointName(candidate=3, batches=14, attempt=0)
    files.run_directory.checkpoints_dir.mkdir()
    (files.run_directory.checkpoints_dir / str(planned)).write_bytes(b"planned")
    assert Drainer(files).drain_all() == []
    assert shared_checkpoints(files) == [planned]


def test_group_without_a_local_directory_has_nothing_to_drain(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    with pytest.raises(ValueError, match="group 0 has no local directory"):
        Drainer(GroupFiles(run_directory=files.run_directory, group=0))
