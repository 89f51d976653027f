"""The processes that read a row file, while it is written or after. See `row_file` for the format."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.records.hdf5 import FAILURES, Condition, cause_of, condition_of, open_for_reading
from hpc_nas.records.layout import COMMIT, Attribute, Rows


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
            self.attributes: dict[str, Attribute] = {
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in self._file.attrs.items()
            }
            self._check_extent()
        except RecordError:
            self.close()
            raise
        except FAILURES as error:
            self.close()
            raise RecordError(f"{self.path}: truncated or damaged: {cause_of(error)}") from error

    def _check_extent(self) -> None:
        """HDF5 reads zeros where a file was cut off.

        A living writer goes on meanwhile: first the counters, then where their rows lie, then the file's size.
        """
        counts = self._commit[:]
        for dataset in self._tables.values():
            dataset.id.refresh()
        size = self.path.stat().st_size
        where = self._commit.id.get_offset()
        if where is not None and where + self._counts.nbytes > size:
            raise RecordError(f"{self.path}: truncated: its counters lie beyond its end")
        for name, dataset in self._tables.items():
            for start in range(0, int(counts[name][0]), dataset.chunks[0]):
                chunk = dataset.id.get_chunk_info_by_coord((start,))
                if chunk.byte_offset is None or chunk.byte_offset + chunk.size > size:
                    raise RecordError(f"{self.path}: truncated: rows of table {name!r} lie beyond its end")

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

    def _rows(self, table: str, start: int) -> Rows:
        dataset = self._tables[table].id
        try:
            self._commit.id.refresh()
            self._commit.id.read(h5py.h5s.ALL, h5py.h5s.ALL, self._counts)
            rows: Rows = np.empty(max(int(self._counts[table][0]) - start, 0), dtype=self._dtypes[table])
            if len(rows):
                dataset.refresh()
                space = dataset.get_space()
                space.select_hyperslab((start,), rows.shape)
                dataset.read(h5py.h5s.create_simple(rows.shape), space, rows, self._types[table])
        except FAILURES as error:
            raise RecordError(f"{self.path}: table {table!r} can't be read: {cause_of(error)}") from error
        return rows

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
