"""A clock that a test moves in the processes that it starts: what happens at an hour is seen without waiting for it.

Only what hpc-nas itself asks for the time is moved: Parsl's heartbeats, MPI and the log have the true one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SITE = Path(__file__).with_name("moved_clock")
VARIABLE = "HPC_NAS_TESTS_CLOCK"


class MovedClock:
    """The test's side; `path` is where it says how far it is moved."""

    def __init__(self, path: Path):
        self._path = path
        self._moved_s = 0.0
        path.write_text("0")

    def move(self, by_s: float) -> None:
        """From now on it is so many seconds ahead of the true one."""
        self._moved_s = by_s
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(repr(by_s))
        temporary.replace(self._path)

    def time(self) -> float:
        return time.time() + self._moved_s

    @contextmanager
    def environment(self, variables: os._Environ[str]) -> Iterator[None]:
        """What is started meanwhile goes by it."""
        before = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = str(SITE) if before is None else f"{SITE}:{before}"
        variables[VARIABLE] = str(self._path)
        try:
            yield
        finally:
            del variables[VARIABLE]
            if before is None:
                del variables["PYTHONPATH"]
            else:
                variables["PYTHONPATH"] = before
