"""Row files: tables of fixed-size rows that one process appends to while others read (HDF5 SWMR).

Layout, fixed before the first row: one chunked table per name, and the one-row table `commit` that holds how
many rows of each count. A row is written and flushed, then its counter is written and flushed: after any kill
the counters never promise a row that is not there. Rows beyond the counter are to be ignored.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import RecordError
from hpc_nas.records.hdf5 import Condition, abandon, cause_of, condition_of, open_for_reading

COMMIT = "commit"
CHUNK_ROWS = 64

Rows = NDArray[np.void]
Attribute = str | int | float
_FAILURES = (OSError, RuntimeError, ValueError, KeyError)  # what h5py raises when a file lets it down


class RowFileWriter:
    """Creates a row file and appends to it. No file is ever opened again for appending.

    Raises RecordError where the file exists or can't be written. After a failed append the file stays as it
    was, readable with every row that was acknowledged, and further appends are refused.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tables: Mapping[str, np.dtype[Any]],
        attributes: Mapping[str, Attribute],
    ):
        self.path = Path(path)
        self._failure = ""
        self._counts = np.zeros(1, dtype=[(name, "<i8") for name in tables])
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
        if self.path.exists():
            raise RecordError(f"{self.path}: exists already; a record file is never written twice")
        self._file: Any = None
        try:
            self._file = h5py.File(temporary, "x", libver="latest")
            self._file.attrs.update(attributes)
            self._tables = {
                name: self._file.create_dataset(
                    name, shape=(0,), maxshape=(None,), chunks=(CHUNK_ROWS,), dtype=dtype
                )
                for name, dtype in tables.items()
            }
            self._commit = self._file.create_dataset(COMMIT, data=self._counts)
            self._file.flush()
            self._file.swmr_mode = True
            _publish(temporary, self.path)  # only now: a reader finds a whole file or none
        except _FAILURES as error:
            self._fail(error)
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise RecordError(self._failure) from error

    def append(self, table: str, row: Any) -> int:
        """Append one row (tuple, np.void or array of one) and return its index; it survives a kill from now on."""
        if self._failure:
            raise RecordError(self._failure)
        dataset, counts = self._tables[table], self._counts
        values = np.empty(1, dtype=dataset.dtype)
        values[:] = row
        index = int(counts[table][0])
        try:
            dataset.resize((index + 1,))
            dataset[index:] = values
            dataset.flush()
            counts[table] += 1
            self._commit[:] = counts
            self._commit.flush()
        except _FAILURES as error:
            self._fail(error)
            raise RecordError(self._failure) from error
        return index

    def close(self) -> None:
        """Close the file; every row is on it already. Raises RecordError where even that can't be written."""
        if self._file is None:
            return
        try:
            self._file.flush()
            self._file.close()
            self._file = None
        except _FAILURES as error:
            self._fail(error)
            raise RecordError(self._failure) from error

    def _fail(self, error: BaseException) -> None:
        self._failure = (
            f"{self.path}: can't be written: {cause_of(error)}; what was recorded before stays readable. "
            "Free space or make it writable, then resume the campaign"
        )
        if self._file is not None:
            abandon(self._file)
            self._file = None

    def __enter__(self) -> RowFileWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _publish(temporary: Path, path: Path) -> None:
    """Give the file its name, never that of another file."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        os.rename(temporary, path)  # no hard links here
    else:
        os.unlink(temporary)


class RowFileReader:
    """Reads a row file, also one that is being written, or whose writer was killed.

    Raises RecordError for a file that is missing, truncated, foreign, or still being born; `try_open` returns
    None for the last of these.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._seen: tuple[int, int] | None = None
        try:
            condition = condition_of(self.path)
        except OSError as error:
            raise RecordError(f"{self.path}: can't be read: {error.strerror}") from error
        if condition is Condition.BEING_BORN:
            raise _BeingBorn(f"{self.path}: empty or still being born; its writer has not finished it")
        if condition is Condition.TRUNCATED:
            raise RecordError(f"{self.path}: truncated; copy it again from where it was written")
        if condition is Condition.FOREIGN:
            raise RecordError(f"{self.path}: not an HDF5 file; name a file that hpc-nas has written")
        self._open()
        self._read: dict[str, int] = dict.fromkeys(self.tables, 0)

    @classmethod
    def try_open(cls, path: str | os.PathLike[str]) -> RowFileReader | None:
        """The reader, or None for a file that is still being born: try again later."""
        try:
            return cls(path)
        except _BeingBorn:
            return None

    def _open(self) -> None:
        try:
            self._file = open_for_reading(self.path)
        except BlockingIOError as error:
            raise _BeingBorn(f"{self.path}: locked by its writer, still being born") from error
        except _FAILURES as error:
            raise RecordError(f"{self.path}: not a sound HDF5 file: {cause_of(error)}") from error
        try:
            commit = self._file.get(COMMIT)
            names = commit.dtype.names if isinstance(commit, h5py.Dataset) and commit.shape == (1,) else None
            self._tables = {name: self._file[name] for name in names or ()}
            if not self._tables:
                raise RecordError(
                    f"{self.path}: no row file: it has no table {COMMIT!r} with a counter per table"
                )
            self._commit = commit
            self.attributes: dict[str, Attribute] = {
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in self._file.attrs.items()
            }
            self._check_extent()
        except RecordError:
            self.close()
            raise
        except _FAILURES as error:
            self.close()
            raise RecordError(f"{self.path}: truncated or damaged: {cause_of(error)}") from error

    def _check_extent(self) -> None:
        """HDF5 reads zeros where a file was cut off."""
        size = self.path.stat().st_size
        for name, dataset in self._tables.items():
            for start in range(0, int(self._commit[name][0]), dataset.chunks[0]):
                chunk = dataset.id.get_chunk_info_by_coord((start,))
                if chunk.byte_offset is None or chunk.byte_offset + chunk.size > size:
                    raise RecordError(f"{self.path}: truncated: rows of table {name!r} lie beyond its end")

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self._tables)

    def changed(self) -> bool:
        """Has the file been written since the last call (or never asked)? Costs one stat."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        seen, self._seen = self._seen, (status.st_mtime_ns, status.st_size)
        return self._seen != seen

    def read_new(self, table: str) -> Rows:
        """The rows committed since the last call, in order; all rows at the first call."""
        start = self._read[table]
        rows = self._rows(table, start)
        self._read[table] = start + len(rows)
        return rows

    def read_all(self, table: str) -> Rows:
        """All rows committed so far; what `read_new` has seen stays as it is."""
        return self._rows(table, 0)

    def _rows(self, table: str, start: int) -> Rows:
        dataset = self._tables[table]
        try:
            self._commit.refresh()
            count = int(self._commit[0][table])
            if count > start:
                dataset.refresh()
            rows: Rows = dataset[start : max(count, start)]
        except _FAILURES as error:
            raise RecordError(f"{self.path}: table {table!r} can't be read: {cause_of(error)}") from error
        return rows

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(*_FAILURES):
            self._file.close()

    def __enter__(self) -> RowFileReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _BeingBorn(RecordError):
    """The file exists but its writer has not finished its layout."""
