"""The processes that read a row file, while it is written or after. See `row_file` for the format."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.records.hdf5 import (
    FAILURES,
    Condition,
    cause_of,
    condition_of,
    open_for_reading,
    read_attributes,
)
from hpc_nas.records.layout import COMMIT, Attribute, Rows
from hpc_nas.records.raw_chunks import committed_rows

_TRIES = 5
"""A checksum may fail while the writer is just writing: it has done so a few microseconds later."""


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
        except FAILURES as error:
            raise RecordError(f"{self.path}: not a sound HDF5 file: {cause_of(error)}") from error
        try:
            commit = self._file.get(COMMIT)
            names = commit.dtype.names if isinstance(commit, h5py.Dataset) and commit.shape == (1,) else None
            self._tables = {name: self._file[name] for name in names or ()}
            if not self._tables or any(dataset.chunks is None for dataset in self._tables.values()):
                raise RecordError(
                    f"{self.path}: no row file: it has no table {COMMIT!r} with a counter per table"
                )
            self._commit = commit
            self._counts = np.zeros(1, dtype=commit.dtype)
            self._dtypes = {name: dataset.dtype for name, dataset in self._tables.items()}
            self._types = {name: h5py.h5t.py_create(dtype) for name, dtype in self._dtypes.items()}
            self._check_counters()
            self._check_extent()
        except RecordError:
            self.close()
            raise
        except FAILURES as error:
            self.close()
            raise RecordError(f"{self.path}: truncated or damaged: {cause_of(error)}") from error

    def _check_counters(self) -> None:
        """A table holds what its counter says, and at most the one row that its writer was adding.

        A writer that is not ours may add several at once.
        """
        most = 1 if self._commit.fletcher32 else math.inf
        self._read_counts()
        for name, dataset in self._tables.items():
            dataset.id.refresh()
            length, before = dataset.id.shape[0], int(self._counts[name][0])
            self._read_counts()  # its writer may have gone on meanwhile
            after = int(self._counts[name][0])
            if length < before or length > after + most:
                raise RecordError(
                    f"{self.path}: damaged: its counter says {after} rows of table {name!r}, which has {length}; "
                    "none of its rows counts. Restore it from a copy"
                )

    def _read_counts(self) -> None:
        """What the counters say now."""
        for left in reversed(range(_TRIES)):
            try:
                self._commit.id.refresh()
                self._commit.id.read(h5py.h5s.ALL, h5py.h5s.ALL, self._counts)
                return
            except FAILURES:
                if not left:
                    raise

    def _check_extent(self) -> None:
        """HDF5 reads zeros where a file was cut off."""
        if beyond := self._beyond_end():
            raise RecordError(f"{self.path}: truncated: {beyond} beyond its end")

    def _beyond_end(self) -> str:
        """First the counters, then where their rows lie, then the file's size; in words, what lies beyond it."""
        self._read_counts()
        counts = self._counts.copy()
        for dataset in self._tables.values():
            dataset.id.refresh()
        size = self.path.stat().st_size
        if self._commit.chunks is None:  # where programs that are not ours may put it
            where, length = self._commit.id.get_offset(), self._counts.nbytes
        else:
            where, length = self._commit.id.get_chunk_info_by_coord((0,))[2:]
        if where is not None and where + length > size:
            return "its counters lie"
        for name, dataset in self._tables.items():
            for start in range(0, int(counts[name][0]), dataset.chunks[0]):
                chunk = dataset.id.get_chunk_info_by_coord((start,))
                if chunk.byte_offset is None or chunk.byte_offset + chunk.size > size:
                    return f"rows of table {name!r} lie"
        return ""

    @property
    def attributes(self) -> dict[str, Attribute]:
        """What the file says of itself. Raises RecordError."""
        try:
            return read_attributes(self._file)
        except FAILURES as error:
            raise RecordError(f"{self.path}: its attributes can't be read: {cause_of(error)}") from error

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self._tables)

    def dtype(self, table: str) -> np.dtype[Any]:
        """What a row of this table is made of."""
        dtype: np.dtype[Any] = self._dtypes[table]
        return dtype

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

    def read_sound(self, table: str) -> tuple[Rows, int]:
        """The rows committed so far that are as they were written, and how many are damaged. Raises RecordError."""
        rows, sound = self._read_checked(table, 0)
        return rows[sound], int(np.count_nonzero(~sound))

    def _rows(self, table: str, start: int) -> Rows:
        rows, sound = self._read_checked(table, start)
        if not sound.all():
            raise RecordError(f"{self.path}: {(~sound).sum()} rows of table {table!r} are damaged")
        return rows

    def _read_checked(self, table: str, start: int) -> tuple[Rows, Any]:
        """The rows from `start` on, and which of them are as they were written."""
        dataset = self._tables[table]
        try:
            for _ in range(_TRIES):
                self._read_counts()
                count = int(self._counts[table][0])
                rows: Rows = np.zeros(max(count - start, 0), dtype=self._dtypes[table])
                sound = np.ones(len(rows), dtype=bool)
                if not len(rows):
                    break
                dataset.id.refresh()
                try:
                    self._read_into(rows, dataset, table=table, start=start)
                    break
                except FAILURES:
                    sound = committed_rows(dataset, rows, start=start)
                    if sound.all():
                        break
        except FAILURES as error:
            raise RecordError(f"{self.path}: table {table!r} can't be read: {cause_of(error)}") from error
        return rows, sound

    def _read_into(self, rows: Rows, dataset: Any, *, table: str, start: int) -> None:
        space = dataset.id.get_space()
        space.select_hyperslab((start,), rows.shape)
        dataset.id.read(h5py.h5s.create_simple(rows.shape), space, rows, self._types[table])

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(*FAILURES):
            self._file.close()

    def __enter__(self) -> RowFileReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _BeingBorn(RecordError):
    """The file exists but its writer has not finished its layout."""
