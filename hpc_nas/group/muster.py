"""Which trainers have reported for work, and where each of them sits."""

from __future__ import annotations

import time
from collections.abc import Callable

from hpc_nas.errors import LaunchError
from hpc_nas.group.wire import Present


class Muster:
    """The trainers that a group waits for at its start; all must be there within `timeout_s`."""

    def __init__(self, *, num_trainers: int, timeout_s: float, clock: Callable[[], float] = time.monotonic):
        self._num_trainers = num_trainers
        self._timeout_s = timeout_s
        self._clock = clock
        self._by = clock() + timeout_s
        self._present: dict[int, Present] = {}

    @property
    def complete(self) -> bool:
        """Is every trainer there?"""
        return len(self._present) == self._num_trainers

    @property
    def devices(self) -> list[str]:
        """What the trainers train on, by rank."""
        return [self._present[trainer].device for trainer in sorted(self._present)]

    def present(self, trainer: int, report: Present) -> None:
        """A trainer has reported."""
        self._present[trainer] = report

    def where(self, trainer: int) -> str:
        """Node, rank and device of a trainer that has reported, in words."""
        report = self._present[trainer]
        return f"rank {trainer} on node {report.host} (process {report.pid}, {report.device})"

    def check(self) -> None:
        """Raises LaunchError when time is up and some are missing."""
        if not self.complete and self._clock() > self._by:
            raise LaunchError(
                f"only trainers {sorted(self._present)} of {self._num_trainers} were ready within "
                f"{self._timeout_s:g} s; what the others do stands in their logs, and [group] start_timeout_s "
                "gives them more time"
            )
