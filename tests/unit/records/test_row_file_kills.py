"""A storm of SIGKILLs on writers: no acknowledged row is lost, no counter promises what is not there."""

from __future__ import annotations

import os
import random
import select
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_nas.records.row_file import RowFileReader, RowFileWriter

NUM_KILLS = 80
DTYPES = {
    "left": np.dtype([("number", "<i8"), ("check", "<i8"), ("text", "S240")]),
    "right": np.dtype([("number", "<i8"), ("check", "<f8")]),
}


def row(name: str, number: int) -> tuple[object, ...]:
    return (number, number**2, b"%d" % number * 20) if name == "left" else (number, number / 3)


def write_until_killed(path: Path, acknowledge: int) -> None:
    with RowFileWriter(path, tables=DTYPES, attributes={}) as file:
        for number in range(10**6):
            for name in DTYPES:
                file.append(name, row(name, number))
                os.write(acknowledge, b".")


def kill_a_writer(path: Path, *, after_rows: int, after_s: float) -> int:
    """Start a writer, kill it, and return how many rows it had acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # never returns into the test
        try:
            os.close(reading)
            write_until_killed(path, writing)
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = 0
    try:
        while acknowledged < after_rows:
            received = os.read(reading, 1)
            assert received, "the writer died by itself"
            acknowledged += 1
        # The moment within the next append; nobody writes to this one, so it is a pure delay of microseconds.
        select.select([], [], [], after_s)
        os.kill(child, signal.SIGKILL)
        while received := os.read(reading, 65536):
            acknowledged += len(received)
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    return acknowledged


def test_no_acknowledged_row_is_lost_in_a_storm_of_kills(tmp_path: Path) -> None:
    generator = random.Random(7)
    torn = 0
    for kill in range(NUM_KILLS):
        path = tmp_path / f"{kill}.h5"
        after_rows = generator.choice([0, 1, generator.randrange(400)])
        acknowledged = kill_a_writer(path, after_rows=after_rows, after_s=generator.uniform(0.0, 0.003))
        if not path.exists():  # killed before its birth: nothing was acknowledged
            assert acknowledged == 0
            continue
        with RowFileReader(path) as reader:
            found = {name: reader.read_all(name).tolist() for name in DTYPES}
        assert found == {name: [row(name, number) for number in range(len(found[name]))] for name in DTYPES}
        total = sum(map(len, found.values()))
        assert acknowledged <= total <= acknowledged + 1
        assert len(found["left"]) - len(found["right"]) in (0, 1)
        torn += total > acknowledged
        path.unlink()


def test_a_killed_writers_file_opens_only_for_swmr(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    acknowledged = kill_a_writer(path, after_rows=3, after_s=0.0)
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(path, "r")
    with h5py.File(path, "r", swmr=True) as file:
        assert int(file["commit"]["left"][0]) + int(file["commit"]["right"][0]) in (
            acknowledged,
            acknowledged + 1,
        )
