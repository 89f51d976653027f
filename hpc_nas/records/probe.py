"""Can rank files live in this directory? A writer here and a reader in another process try it."""

from __future__ import annotations

import fcntl
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.interpreter import python_line
from hpc_nas.records.row_file import RowFileReader, RowFileWriter

_NUM_ROWS = 20
_DEADLINE_S = 20.0
_TABLE = "probe"
_DTYPE = np.dtype([("number", "<i8")])


@dataclass(frozen=True, kw_only=True)
class SwmrProbe:
    """What was found: medians in seconds, NaN where it did not come to that."""

    ok: bool
    message: str
    kept: bool = False  # locks hold, and once its writer has left, a file has all its rows
    append_flush_s: float = math.nan
    visible_s: float = math.nan  # from before the append to the reader's having the row


def probe_swmr(directory: str | os.PathLike[str]) -> SwmrProbe:
    """Lock, write, and read from another process in this directory; whatever goes wrong is the result."""
    try:
        with tempfile.TemporaryDirectory(prefix=".hpc-nas-probe-", dir=directory) as scratch:
            _check_lock(Path(scratch) / "lock")
            return _exchange(Path(scratch) / "rank-00000.h5")
    except (OSError, RecordError, subprocess.SubprocessError) as error:
        return SwmrProbe(ok=False, message=f"{directory}: {error}")


def _check_lock(path: Path) -> None:
    """The campaign's lock needs flock."""
    with open(path, "wb") as first, open(path, "wb") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise OSError("flock grants the same lock twice")


def _exchange(path: Path) -> SwmrProbe:
    appends, visible = [], []
    with RowFileWriter(path, tables={_TABLE: _DTYPE}, attributes={"kind": "probe"}) as writer:
        reader = subprocess.Popen(
            python_line("-m", "hpc_nas.records.probe", str(path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = threading.Timer(_DEADLINE_S, reader.kill)
        deadline.start()
        try:
            assert reader.stdout is not None
            reader.stdout.readline()  # it has opened the file, or it has ended
            for number in range(_NUM_ROWS):
                start = time.monotonic()
                writer.append(_TABLE, (number,))
                appends.append(time.monotonic() - start)
                seen = reader.stdout.readline()
                if not seen:
                    break
                visible.append(float(seen) - start)
        finally:
            deadline.cancel()
            reader.kill()
            _, errors = reader.communicate()
    if len(visible) < _NUM_ROWS:
        reason = errors.strip().splitlines()[-1:] or [f"no answer within {_DEADLINE_S:.0f} s"]
        return SwmrProbe(
            ok=False,
            message=f"{path.parent}: another process does not see the rows that are written: {reason[0]}",
            kept=_has_kept(path, num_rows=len(appends)),
        )
    return SwmrProbe(
        ok=True,
        message=f"{_NUM_ROWS} rows written here were seen by another process",
        kept=True,
        append_flush_s=statistics.median(appends),
        visible_s=statistics.median(visible),
    )


def _has_kept(path: Path, *, num_rows: int) -> bool:
    with RowFileReader(path) as reader:
        return bool(reader.read_all(_TABLE)["number"].tolist() == list(range(num_rows)))


def _watch(path: str) -> None:
    """The reader's side: one line when the file is open, then the time at which each row has come."""
    with RowFileReader(path) as reader:
        print("open", flush=True)
        seen = 0
        while seen < _NUM_ROWS:
            rows = reader.read_new(_TABLE)
            now = time.monotonic()
            for row in rows:
                if row["number"] != seen:
                    raise RecordError(f"{path}: row {seen} reads as {row['number']}")
                seen += 1
                print(now, flush=True)


if __name__ == "__main__":
    _watch(sys.argv[1])
