"""Row files: what is appended is read, by whom and when, and what files that are not whole say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_nas.errors import RecordError
from hpc_nas.records import row_writer
from hpc_nas.records.row_file import RowFileReader, RowFileWriter
from tests.disks import tiny_disk

POINT = np.dtype([("number", "<i8"), ("value", "<f8"), ("word", "S16")])
TABLES = {"left": POINT, "right": POINT}


def writer(path: Path) -> RowFileWriter:
    return RowFileWriter(path, tables=TABLES, attributes={"kind": "test", "rank": 3, "time": 0.5})


def point(number: int) -> tuple[int, float, bytes]:
    return (number, number / 7, b"w%d" % number)


def numbers(rows: np.ndarray) -> list[int]:
    return rows["number"].tolist()


def snapshot(path: Path) -> Path:
    """What a reader would find had the writer been killed now."""
    return Path(shutil.copy(path, path.with_name("snapshot.h5")))


def test_reader_gets_each_row_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    with writer(path) as file, RowFileReader(path) as reader:
        assert numbers(reader.read_new("left")) == []
        assert [file.append("left", point(number)) for number in range(70)] == list(range(70))
        assert numbers(reader.read_new("left")) == list(range(70))
        file.append("left", point(70))
        assert numbers(reader.read_new("left")) == [70]
        assert numbers(reader.read_new("left")) == []
        assert numbers(reader.read_all("left")) == list(range(71))
        assert numbers(reader.read_new("right")) == []
        assert reader.read_all("left")[70].item() == point(70)
        assert reader.tables == ("left", "right")
        assert reader.attributes == {"kind": "test", "rank": 3, "time": 0.5}


def test_a_row_may_be_a_tuple_a_record_or_an_array_of_one(tmp_path: Path) -> None:
    array = np.array([point(1)], dtype=POINT)
    with writer(tmp_path / "rows.h5") as file:
        for row in (point(1), array[0], array):
            file.append("left", row)
    with RowFileReader(tmp_path / "rows.h5") as reader:
        assert reader.read_all("left").tolist() == [point(1)] * 3


def test_a_second_writer_is_refused_and_the_rows_stay(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    with writer(path) as file:
        file.append("left", point(1))
    with pytest.raises(RecordError, match=r"rows\.h5: exists already"):
        writer(path)
    with RowFileReader(path) as reader:
        assert numbers(reader.read_all("left")) == [1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.h5"]


def test_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nowhere/rows\.h5: can't be written: No such file"):
        writer(tmp_path / "nowhere" / "rows.h5")


def test_changed_tells_of_writes_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    with writer(path) as file, RowFileReader(path) as reader:
        assert reader.changed()
        assert not reader.changed()
        file.append("left", point(0))
        os.utime(path, ns=(0, 12345))  # time stamps of two quick writes may be equal
        assert reader.changed()
        assert not reader.changed()


def test_a_writers_file_is_whole_at_once(tmp_path: Path) -> None:
    with writer(tmp_path / "rows.h5"), RowFileReader(snapshot(tmp_path / "rows.h5")) as reader:
        assert reader.tables == ("left", "right")
        assert numbers(reader.read_all("left")) == []


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    script = """if True:
        import sys
        from hpc_nas.records.row_file import RowFileReader
        with RowFileReader(sys.argv[1]) as reader:
            for line in sys.stdin:
                rows = reader.read_new("left")
                print(*rows["number"].tolist(), flush=True)
    """
    with writer(path) as file:
        command = [sys.executable, "-W", "error", "-c", script, str(path)]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            for start in range(0, 400, 25):
                for number in range(start, start + 25):
                    file.append("left", point(number))
                    file.append("right", point(-number))
                print("read", file=reader.stdin, flush=True)
                found = [int(word) for word in reader.stdout.readline().split()]
                assert found == list(range(start, start + 25))


# --- files that are not whole --------------------------------------------------------------------------------


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no\.h5: can't be read: No such file"):
        RowFileReader(tmp_path / "no.h5")


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(1000), bytes(1000)])
def test_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.h5"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"other\.h5: not an HDF5 file"):
        RowFileReader.try_open(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_foreign_hdf5_file_is_refused(tmp_path: Path, libver: str) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["commit"] = np.zeros(1, dtype=[("left", "<i8")])
        file["left"] = np.zeros(3)
    with pytest.raises(RecordError, match=r"other\.h5: no row file|other\.h5: not .* hpc-nas"):
        RowFileReader.try_open(path)


def read_or_complain(path: Path) -> dict[str, list[int]] | str:
    try:
        with RowFileReader(path) as reader:
            return {name: numbers(reader.read_all(name)) for name in reader.tables}
    except RecordError as error:
        return str(error)


@pytest.mark.parametrize("state", ["live", "closed"])
def test_file_cut_anywhere_is_an_error_and_never_hangs(tmp_path: Path, state: str) -> None:
    path, cut = tmp_path / "rows.h5", tmp_path / "cut.h5"
    with writer(path) as file:
        for number in range(150):
            file.append("left", point(number))
            file.append("right", point(number))
        data = path.read_bytes()
    if state == "closed":
        data = path.read_bytes()
    generator = np.random.default_rng(1)
    lengths = [1, 7, 8, 11, 12, 47, 48, 49, *generator.integers(50, len(data) - 1, size=10), len(data) - 1]
    for length in map(int, lengths):
        cut.write_bytes(data[:length])
        found = read_or_complain(cut)
        if isinstance(found, str):
            assert str(cut) in found
        else:  # only a part that no row needs was cut off
            assert found == {"left": list(range(150)), "right": list(range(150))}
    cut.write_bytes(data)
    assert read_or_complain(cut) == {"left": list(range(150)), "right": list(range(150))}


def test_file_still_being_born_may_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    path.touch()
    assert RowFileReader.try_open(path) is None
    with pytest.raises(RecordError, match="still being born"):
        RowFileReader(path)
    path.unlink()
    # A program that is not ours makes its file under the final name.
    with h5py.File(path, "x", libver="latest") as file:
        file["commit"] = np.zeros(1, dtype=[("left", "<i8")])
        file.create_dataset("left", shape=(0,), maxshape=(None,), chunks=(64,), dtype=POINT)
        file.flush()
        half = snapshot(path)
        assert RowFileReader.try_open(half) is None
        file.swmr_mode = True
        with RowFileReader(path) as reader:
            assert numbers(reader.read_new("left")) == []


# --- disks that fill up --------------------------------------------------------------------------------------


def append_until_refused(file: RowFileWriter) -> tuple[int, str]:
    """How many rows were acknowledged, and what was said instead of the next one."""
    for number in range(10**6):
        try:
            file.append("left", point(number))
        except RecordError as error:
            return number, str(error)
    raise AssertionError("the disk never filled up")


def test_full_disk_keeps_every_acknowledged_row_readable(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=64 * 1024) as disk:
        path = disk / "rows.h5"
        file = writer(path)
        written, message = append_until_refused(file)
        assert message.startswith(f"{path}: can't be written: No space left on device (ENOSPC)")
        with RowFileReader(path) as reader:
            assert numbers(reader.read_all("left")) == list(range(written))
        with pytest.raises(RecordError, match="No space left"):
            file.append("left", point(written))
        file.close()
        with RowFileReader(path) as reader:
            assert numbers(reader.read_all("left")) == list(range(written))
        (disk / "filler").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        with pytest.raises(RecordError, match=r"other\.h5: can't be written: No space left"):
            writer(disk / "other.h5")
        assert sorted(entry.name for entry in disk.iterdir()) == ["filler", "rows.h5"]


@pytest.mark.parametrize("limit", [6000, 20_000, 50_000, 123_457])
def test_process_whose_file_may_not_grow_still_ends_in_order(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "rows.h5"
    script = """if True:
        import resource, sys
        import numpy as np
        from hpc_nas.errors import RecordError
        from hpc_nas.records.row_file import RowFileWriter
        path, limit = sys.argv[1], int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        dtype = np.dtype([("number", "<i8"), ("value", "<f8"), ("word", "S16")])
        written = 0
        try:
            with RowFileWriter(path, tables={"left": dtype, "right": dtype}, attributes={}) as file:
                while True:
                    file.append("left", (written, 0.0, b""))
                    written += 1
        except RecordError as error:
            print(written, error)
    """
    command = [sys.executable, "-W", "error", "-c", script, str(path), str(limit)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    written, _, message = process.stdout.partition(" ")
    assert message.startswith(f"{path}: can't be written: File too large (EFBIG)")
    with RowFileReader(path) as reader:
        assert numbers(reader.read_all("left")) == list(range(int(written)))


# --- a file that vanishes under its writer ---------------------------------------------------------------------


def remove(path: Path) -> None:
    path.unlink()


def replace_by_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"somebody else's")
    other.rename(path)


def remove_its_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("vanish", [remove, replace_by_another, remove_its_directory])
@pytest.mark.parametrize("seen_at", ["append", "close"])
def test_file_that_vanishes_is_made_anew_with_all_its_rows(
    tmp_path: Path,
    vanish: Callable[[Path], None],
    seen_at: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_writer, "LOOK_INTERVAL_S", 0.0)
    path = tmp_path / "group" / "rows.h5"
    path.parent.mkdir()
    written = [1, 2, 3]
    with writer(path) as file:
        for number in written:
            file.append("left", point(number))
        vanish(path)
        if seen_at == "append":
            written += [4, 5]
            for number in written[3:]:
                file.append("left", point(number))
            with RowFileReader(path) as reader:
                assert numbers(reader.read_all("left")) == written
    with RowFileReader(path) as reader:
        assert numbers(reader.read_all("left")) == written
    assert len(caplog.messages) == 1
    assert "it is made anew with all its rows" in caplog.messages[0]
    kept = [other.read_bytes() for other in path.parent.glob("rows.h5.not-ours-*")]
    assert kept == ([b"somebody else's"] if vanish is replace_by_another else [])


def test_file_that_vanishes_and_can_not_be_made_anew_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "LOOK_INTERVAL_S", 0.0)
    path = tmp_path / "run" / "group" / "rows.h5"
    path.parent.mkdir(parents=True)
    file = writer(path)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(RecordError, match=r"rows\.h5: can't be written: No such file"):
        file.append("left", point(1))
    with pytest.raises(RecordError, match="can't be written"):
        file.append("left", point(2))
    file.close()
