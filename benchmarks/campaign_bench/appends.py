"""How long an append with its flush takes: `RowFileWriter` alone, without a campaign around it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench.command import Workspace
from benchmarks.bench.environment import filesystem_of
from benchmarks.bench.values import Spread
from benchmarks.campaign_bench.values import Appends
from hpc_nas.records.layout import OBSERVATION
from hpc_nas.records.row_file import RowFileWriter

WORK_S = 0.01
WORK_BYTES = 8 * 2**20
"""Before each spaced append: a trainer computes between two rows, and finds the caches full of other things."""


def measure_appends(workspace: Workspace, *, rows: int, spaced_rows: int, repeats: int) -> Appends:
    """`repeats` files of `rows` observations back to back, and as many of `spaced_rows` with work between."""
    directory = workspace.new_run_dir("appends")
    directory.mkdir(parents=True)
    return Appends(
        filesystem=filesystem_of(directory),
        back_to_back=tuple(
            _append(directory / f"fast-{repeat}.h5", rows=rows, work_s=0.0) for repeat in range(repeats)
        ),
        spaced=tuple(
            _append(directory / f"spaced-{repeat}.h5", rows=spaced_rows, work_s=WORK_S)
            for repeat in range(repeats)
        ),
    )


def _append(path: Path, *, rows: int, work_s: float) -> Spread:
    durations, scratch = np.empty(rows), np.ones(WORK_BYTES // 8)
    observed = np.ones((), OBSERVATION)
    with RowFileWriter(
        path, tables={"observations": OBSERVATION}, attributes={"kind": "benchmark"}
    ) as writer:
        for index in range(rows):
            observed["candidate"], observed["epoch"] = index // 40, 0.5 * (1 + index % 40)
            row = observed.item()
            _work(scratch, until=time.perf_counter() + work_s)
            started = time.perf_counter()
            writer.append("observations", row)
            durations[index] = time.perf_counter() - started
    return Spread.of(durations)


def _work(scratch: NDArray[np.float64], *, until: float) -> None:
    while time.perf_counter() < until:
        scratch *= 1.0
