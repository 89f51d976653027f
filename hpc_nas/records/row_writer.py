"""The one process that appends to a row file. See `row_file` for the format."""

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

from hpc_nas.errors import RecordError
from hpc_nas.records.hdf5 import FAILURES, abandon, cause_of
from hpc_nas.records.layout import CHUNK_ROWS, COMMIT, Attribute


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
        self._one_row = h5py.h5s.create_simple((1,))
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
        if self.path.exists():
            raise RecordError(f"{self.path}: exists already; a record file is never written twice")
        self._dtypes = dict(tables)
        self._types = {
            name: h5py.h5t.py_create(dtype) for name, dtype in {**tables, COMMIT: self._counts.dtype}.items()
        }
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
        except FAILURES as error:
            self._fail(error)
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise RecordError(self._failure) from error

    def append(self, table: str, row: Any) -> int:
        """Append one row (tuple, np.void or array of one) and return its index; it survives a kill from now on."""
        if self._failure:
            raise RecordError(self._failure)
        dataset, counts = self._tables[table], self._counts
        values = np.empty(1, dtype=self._dtypes[table])
        values[:] = row
        index = int(counts[table][0])
        try:
            # h5py's lower level: a quarter of the time of `dataset[index] = row`.
            dataset.id.set_extent((index + 1,))
            space = h5py.h5s.create_simple((index + 1,))
            space.select_hyperslab((index,), (1,))
            dataset.id.write(self._one_row, space, values, self._types[table])
            dataset.id.flush()
            counts[table] += 1
            self._commit.id.write(h5py.h5s.ALL, h5py.h5s.ALL, counts, self._types[COMMIT])
            self._commit.id.flush()
        except FAILURES as error:
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
        except FAILURES as error:
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
