"""A row file against a perfect model in memory, under any order of operations."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hpc_nas.records.row_file import RowFileReader, RowFileWriter

DTYPES = {
    "wide": np.dtype([("number", "<i8"), ("text", "S240")]),
    "narrow": np.dtype([("number", "<i8"), ("value", "<f8")]),
}
names = st.sampled_from(sorted(DTYPES))
int64 = st.integers(-(2**63), 2**63 - 1)


class RowFileMachine(RuleBasedStateMachine):
    """One writer and two readers; a copy of the file at any time is what a kill at that time leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "rows.h5"
        self.writer: RowFileWriter | None = RowFileWriter(self.path, tables=DTYPES, attributes={"rank": 1})
        self.reader = RowFileReader(self.path)
        self.rows: dict[str, list[object]] = {name: [] for name in DTYPES}
        self.read = dict.fromkeys(DTYPES, 0)

    @precondition(lambda self: self.writer is not None)
    @rule(number=int64, text=st.binary(max_size=240), repeat=st.integers(1, 40))
    def append_wide(self, number: int, text: bytes, repeat: int) -> None:
        self._append("wide", (number, text.rstrip(b"\0")), repeat)

    @precondition(lambda self: self.writer is not None)
    @rule(number=int64, value=st.floats(allow_nan=False), repeat=st.integers(1, 100))
    def append_narrow(self, number: int, value: float, repeat: int) -> None:
        self._append("narrow", (number, value), repeat)

    def _append(self, name: str, row: tuple[object, ...], repeat: int) -> None:
        assert self.writer is not None
        for _ in range(repeat):
            assert self.writer.append(name, row) == len(self.rows[name])
            self.rows[name].append(row)

    @rule(name=names)
    def read_new(self, name: str) -> None:
        assert self.reader.read_new(name).tolist() == self.rows[name][self.read[name] :]
        self.read[name] = len(self.rows[name])

    @rule()
    def open_anew(self) -> None:
        self.reader.close()
        self.reader = RowFileReader(self.path)
        self.read = dict.fromkeys(DTYPES, 0)

    @rule()
    def read_what_a_kill_would_leave(self) -> None:
        copy = Path(shutil.copy(self.path, self.directory / "copy.h5"))
        with RowFileReader(copy) as reader:
            assert {name: reader.read_all(name).tolist() for name in DTYPES} == self.rows
        copy.unlink()

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close_writer(self) -> None:
        assert self.writer is not None
        self.writer.close()
        self.writer = None

    @invariant()
    def nothing_is_lost(self) -> None:
        assert {name: reader_rows.tolist() for name, reader_rows in self._all().items()} == self.rows

    def _all(self) -> dict[str, np.ndarray]:
        return {name: self.reader.read_all(name) for name in DTYPES}

    def teardown(self) -> None:
        self.reader.close()
        if self.writer is not None:
            self.writer.close()
        shutil.rmtree(self.directory)


TestRowFile = RowFileMachine.TestCase
TestRowFile.settings = settings(max_examples=30, stateful_step_count=25, deadline=None, derandomize=True)
