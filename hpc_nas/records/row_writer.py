"""The one process that appends to a row file. See `row_file` for the format."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.records.hdf5 import (
    FAILURES,
    LIBRARY_VERSIONS,
    abandon,
    cause_of,
    create_tables,
    write_attributes,
)
from hpc_nas.records.layout import COMMIT, Attribute, Rows

logger = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.05  # a look costs as much as a tenth of an append


class RowFileWriter:
    """Creates a row file and appends to it. No file is ever opened again for appending.

    A file that has vanished from under its name (removed, or another one put in its place) is noticed at the next
    append and when it is closed: it is made anew, with all its rows, and the writer goes on there.

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
        self._attributes = dict(attributes)
        self._failure = ""
        self._counts = np.zeros(1, dtype=[(name, "<i8") for name in tables])
        self._one_row = h5py.h5s.create_simple((1,))
        if self.path.exists():
            raise RecordError(f"{self.path}: exists already; a record file is never written twice")
        self._dtypes = dict(tables)
        self._types = {
            name: h5py.h5t.py_create(dtype) for name, dtype in {**tables, COMMIT: self._counts.dtype}.items()
        }
        self._file: Any = None
        self._create({name: np.empty(0, dtype=dtype) for name, dtype in tables.items()})

    def _create(self, rows: Mapping[str, Rows]) -> None:
        """Make the file with these rows, and give it its name once it is whole: a reader finds all of it or nothing."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
        try:
            self._file = h5py.File(temporary, "x", libver=LIBRARY_VERSIONS)
            write_attributes(self._file, self._attributes)
            self._tables, self._commit = create_tables(self._file, rows)
            self._file.flush()
            self._file.swmr_mode = True
            _publish(temporary, self.path)
            self._place = _place_of(self.path)
            self._next_look = 0.0
        except FAILURES as error:
            self._fail(error)
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise RecordError(self._failure) from error

    def append(self, table: str, row: Any) -> int:
        """Append one row (tuple, np.void or array of one) and return its index; it survives a kill from now on."""
        if self._failure:
            raise RecordError(self._failure)
        values = np.empty(1, dtype=self._dtypes[table])
        values[:] = row
        index = int(self._counts[table][0])
        try:
            self._write(table, values, index=index)
        except FAILURES as error:
            self._fail(error)
            raise RecordError(self._failure) from error
        self._look()
        return index

    def _write(self, table: str, values: Rows, *, index: int) -> None:
        """The row, then its counter. By h5py's lower level: a quarter of the time of `dataset[index] = row`."""
        dataset, counts = self._tables[table], self._counts
        dataset.id.set_extent((index + 1,))
        space = h5py.h5s.create_simple((index + 1,))
        space.select_hyperslab((index,), (1,))
        dataset.id.write(self._one_row, space, values, self._types[table])
        dataset.id.flush()
        counts[table] += 1
        self._commit.id.write(h5py.h5s.ALL, h5py.h5s.ALL, counts, self._types[COMMIT])
        self._commit.id.flush()

    def close(self) -> None:
        """Close the file; every row is on it already. Raises RecordError where even that can't be written."""
        if self._file is None:
            return
        self._next_look = 0.0
        self._look()
        try:
            self._file.flush()
            self._file.close()
            self._file = None
        except FAILURES as error:
            self._fail(error)
            raise RecordError(self._failure) from error

    def _look(self) -> None:
        """Does the file still lie under its name? Asked at each validation, not at each row of a burst."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL_S
        try:
            found = _place_of(self.path)
        except OSError:
            return  # nobody can tell now; a later append looks again
        if found != self._place:
            self._make_anew(found)

    def _make_anew(self, found: tuple[int, int] | None) -> None:
        """With all rows, which are still reached through HDF5; `found` is what lies there now."""
        what = "has vanished" if found is None else "was replaced by another file"
        logger.warning("%s %s; it is made anew with all its rows", self.path, what)
        lost = self._file
        try:
            rows = {name: table[: int(self._counts[name][0])] for name, table in self._tables.items()}
            if found is not None:
                os.rename(self.path, self.path.with_name(f"{self.path.name}.not-ours-{time.time_ns()}"))
            self.path.parent.mkdir(exist_ok=True)
        except FAILURES as error:
            self._fail(error)
            raise RecordError(self._failure) from error
        self._create(rows)
        abandon(lost)

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


def _place_of(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None where there is none. Costs one stat. Raises OSError where nobody can tell."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


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
