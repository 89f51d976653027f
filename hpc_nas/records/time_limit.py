"""Reading what may be damaged or foreign, with a time limit: HDF5 can spin for ever in it, deaf to signals.

A function of `hpc_nas.records` is called in a child process, which is killed when its time is over. The child limits
its own processor time as well, so that it leaves nothing behind whatever becomes of its parent.
"""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from hpc_nas.errors import HpcNasError, RecordError

_T = TypeVar("_T")

LIMIT_S = 20.0
BYTES_PER_S = 1 << 20  # a file may take longer the larger it is


def within_time_limit(read: Callable[[Path], _T], path: Path, *, limit_s: float | None = None) -> _T:
    """What `read`, a function on a module's top level, returns for this path.

    Raises what it raises of HpcNasError; RecordError where it takes too long (None: `LIMIT_S`, and a second per
    mebibyte) or the child dies of it.
    """
    if limit_s is None:
        limit_s = LIMIT_S + path.stat().st_size / BYTES_PER_S
    command = [
        sys.executable,
        "-P",
        "-m",
        __name__,
        read.__module__,
        read.__qualname__,
        str(path),
        str(int(limit_s)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit_s, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise RecordError(
            f"{path}: damaged: HDF5 has come to no end with it in {limit_s:.0f} s; restore it from a copy, or name the "
            "run directory"
        ) from None
    try:
        result, error = pickle.loads(done.stdout)
    except (pickle.UnpicklingError, EOFError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = last[0] if last else f"exit code {done.returncode}"
        raise RecordError(f"{path}: damaged: the process that read it died of it ({why})") from None
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _main(module: str, name: str, path: str, limit_s: str) -> None:
    """The child's side: the result, or the error, pickled to its output."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 1))
    result, error = None, None
    try:
        result = getattr(import_module(module), name)(Path(path))
    except HpcNasError as problem:
        error = problem
    sys.stdout.buffer.write(pickle.dumps((result, error)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
