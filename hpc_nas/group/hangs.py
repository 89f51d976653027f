"""Which trainers hang: no observation for longer than their own past makes plausible."""

from __future__ import annotations

from dataclasses import dataclass

from hpc_nas.configuration import GroupSection
from hpc_nas.errors import LaunchError

_Key = tuple[int, int]
BLINK_S = 2.0


class NobodyToCharge(LaunchError):
    """The group can't go on, and none of the candidates that it trains now is to blame for that."""


@dataclass(frozen=True, kw_only=True)
class Hang:
    """An attempt, (candidate, attempt), that has shown nothing for `silent_s` where `allowed_s` is the limit."""

    trainer: int
    key: _Key
    silent_s: float
    allowed_s: float


@dataclass(kw_only=True)
class _Watched:
    trainer: int
    since: float
    longest_s: float | None = None  # of its intervals so far


class HangWatch:
    """Told when attempts start, are observed and end, it says which are overdue. The clock is passed in.

    An attempt is overdue after `hang_factor` times its longest interval; before its first observation, that many
    times the longest first interval that any attempt of the group has had. Never before `hang_floor_s`, always after
    `hang_limit_s`, which comes first where they contradict each other.
    """

    def __init__(self, section: GroupSection):
        self._factor = section.hang_factor
        self._floor_s = section.hang_floor_s
        self._limit_s = section.hang_limit_s
        self._watched: dict[_Key, _Watched] = {}
        self._longest_first_s: float | None = None
        self._last_look: float | None = None

    def started(self, key: _Key, *, trainer: int, now: float) -> None:
        """A trainer was given this attempt: reading, building and the first interval begin."""
        self._watched[key] = _Watched(trainer=trainer, since=now)

    def observed(self, key: _Key, *, now: float) -> None:
        """A new observation, not a carried one; of an attempt that is not watched it says nothing."""
        found = self._watched.get(key)
        if found is None:
            return
        interval_s = now - found.since
        if found.longest_s is None:
            self._longest_first_s = max(interval_s, self._longest_first_s or 0.0)
        found.longest_s = max(interval_s, found.longest_s or 0.0)
        found.since = now

    def ended(self, key: _Key) -> None:
        """The trainer has left this attempt."""
        self._watched.pop(key, None)

    def overdue(self, *, now: float) -> list[Hang]:
        """Call it often: time in which nobody looked (this process was stopped, too) counts for nobody."""
        unseen_s = 0.0 if self._last_look is None else now - self._last_look
        self._last_look = now
        if unseen_s > BLINK_S:
            for watched in self._watched.values():
                watched.since = min(now, watched.since + unseen_s)
        return [
            Hang(trainer=watched.trainer, key=key, silent_s=now - watched.since, allowed_s=allowed_s)
            for key, watched in self._watched.items()
            if now - watched.since > (allowed_s := self._allowed_s(watched))
        ]

    def _allowed_s(self, watched: _Watched) -> float:
        longest_s = watched.longest_s if watched.longest_s is not None else self._longest_first_s
        if longest_s is None:
            return self._limit_s
        return min(self._limit_s, max(self._floor_s, self._factor * longest_s))
