"""When the campaign opens what a group's agent has written: for a reason, and then less and less often.

Each look is a file opened on the shared file system. A group that speaks is well, and Parsl tells of most ends; so
those alone are looked at that have said goodbye, are silent, were lost by Parsl, or have not reported (they may park).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 0.5
NUM_FREQUENT = 10  # an end that is told by a goodbye comes within seconds
SELDOM_S = 10.0
START_S = 2.0  # no group is held back sooner
AT_MOST = 32  # in one turn


@dataclass
class _Watched:
    next_time: float
    interval_s: float
    num_looks: int
    expected: bool  # its end; else that it reports, or only holds its slot


class Looks:
    """Which groups are to be looked at, and when."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._watched: dict[int, _Watched] = {}
        self._next_time = math.inf

    def started(self, group: int) -> None:
        """A group that will report, or park."""
        self._watch(group, interval_s=START_S, num_looks=NUM_FREQUENT, expected=False)

    def expect(self, group: int) -> None:
        """There is a reason: the group may have ended, or will soon."""
        found = self._watched.get(group)
        if found is None or not found.expected:  # else it is no news
            self._watch(group, interval_s=FIRST_S, num_looks=0, expected=True)

    def forget(self, group: int) -> None:
        """It is well, or its end is known."""
        self._watched.pop(group, None)

    def due(self) -> list[int]:
        """Those whose time has come; called often."""
        now = self._clock()
        if now < self._next_time:
            return []
        found = [group for group, watched in self._watched.items() if now >= watched.next_time][:AT_MOST]
        for group in found:
            watched = self._watched[group]
            watched.num_looks += 1
            if watched.num_looks > NUM_FREQUENT:
                watched.interval_s = min(SELDOM_S, 2 * watched.interval_s)
            watched.next_time = now + watched.interval_s
        self._next_time = min((watched.next_time for watched in self._watched.values()), default=math.inf)
        return found

    def _watch(self, group: int, *, interval_s: float, num_looks: int, expected: bool) -> None:
        next_time = self._clock() + interval_s
        self._watched[group] = _Watched(
            next_time=next_time, interval_s=interval_s, num_looks=num_looks, expected=expected
        )
        self._next_time = min(self._next_time, next_time)
