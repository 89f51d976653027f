"""Reading what may be damaged or foreign, with a time limit: HDF5 can spin for ever in it, deaf to signals.

A function of `hpc_nas.records` is tried in a child process, which is killed when its time is over; only what comes to
an end there is read here as well. The child limits its own processor time, so that it leaves nothing behind whatever
becomes of its parent.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from hpc_nas.errors import HpcNasError, RecordError
from hpc_nas.interpreter import python_line

_T = TypeVar("_T")

LIMIT_S = 20.0
BYTES_PER_S = 1 << 20  # a file may take longer the larger it is
_ENDED = b"read"


def within_time_limit(read: Callable[[Path], _T], path: Path, *, limit_s: float | None = None) -> _T:
    """What `read`, a function on a module's top level, returns for this path.

    Raises what it raises of HpcNasError; RecordError where it takes too long (None: `LIMIT_S`, and a second per
    mebibyte) or the child dies of it.
    """
    if limit_s is None:
        limit_s = LIMIT_S + path.stat().st_size / BYTES_PER_S
    command = python_line("-m", __name__, read.__module__, read.__qualname__, str(path), str(int(limit_s)))
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit_s, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise RecordError(
            f"{path}: damaged: HDF5 has come to no end with it in {limit_s:.0f} s; restore it from a copy, or name the "
            "run directory"
        ) from None
    if done.stdout != _ENDED:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = last[0] if last else f"exit code {done.returncode}"
        raise RecordError(f"{path}: damaged: the process that read it died of it ({why})")
    return read(path)


def _main(module: str, name: str, path: str, limit_s: str) -> None:
    """The child's side: whether it has come to an end, be it by an error of ours."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 1))
    with suppress(HpcNasError):  # it is raised again where it is wanted
        getattr(import_module(module), name)(Path(path))
    sys.stdout.buffer.write(_ENDED)


if __name__ == "__main__":
    _main(*sys.argv[1:])
