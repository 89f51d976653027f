"""The history: what is known of a population of candidates, in the order in which it became known.

Rules and forecasters that look at other candidates read it. It only grows, event by event; its `version` is the
number of events, and the first `version` events say all that a decision rested on.

A candidate with a number below 0 is one of an earlier search that this one goes on from: it has ended before all others
begin, and counts as any other that has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from estimator.curve import Curve
from estimator.values import Numbers

__all__ = [
    "Described",
    "Ended",
    "Event",
    "History",
    "Member",
    "MirroredHistory",
    "Observed",
    "Resumed",
    "Standing",
]

_T = TypeVar("_T")


class Standing(StrEnum):
    """The standing of a candidate: running ones are being trained; paused ones may go on later."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"  # by a decision, before its full budget
    FINISHED = "finished"  # trained to the full budget: its truth is known
    FAILED = "failed"  # it has no accuracy at all
    LOST = "lost"  # this attempt no longer counts; its curve begins again


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """One observation of one candidate; accuracies in percent, NaN where not measured."""

    candidate: int
    epoch: float
    val_accuracy: float
    val_loss: float = math.nan
    train_loss: float = math.nan
    train_accuracy: float = math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A candidate has left its trainer, for now (paused, lost) or finally.

    `audited`: it was chosen at random to be trained to the end whatever was decided, as an unbiased sample.
    """

    candidate: int
    standing: Standing
    audited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """A paused candidate has a trainer again: it runs from now on, not only from its next observation."""

    candidate: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What a candidate is, known before its training: `History.describe` as an event, for shared histories."""

    candidate: int
    features: Numbers


Event = Observed | Ended | Resumed | Described


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One candidate of the population: its curve so far, how it stands, and whether it was audited."""

    candidate: int
    curve: Curve
    standing: Standing
    audited: bool = False


class History:
    """The population's learning curves. Grows only; not safe for several threads.

    Members stand in the order of their first event.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events: list[Event] = []
        self._members: dict[int, Member] = {}
        self._counts: dict[Standing, int] = dict.fromkeys(Standing, 0)
        self._versions_of_ends: list[int] = []
        self._memory: dict[Hashable, tuple[Hashable, Any]] = {}
        self._features: dict[int, Numbers] = {}
        for event in events:
            self.apply(event)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} candidates, version {self.version})"

    @property
    def version(self) -> int:
        """The number of events."""
        return len(self._events)

    @property
    def num_ended(self) -> int:
        """The number of `Ended` events: what learns from ended curves alone has nothing new until it rises."""
        return len(self._versions_of_ends)

    def version_after_ends(self, count: int) -> int:
        """The version of the history right after its first `count` `Ended` events; 0 for none."""
        return self._versions_of_ends[count - 1] if count else 0

    @property
    def events(self) -> Sequence[Event]:
        """All events in order; `History(events[:version])` is the history as it was at that version."""
        return tuple(self._events)

    def events_since(self, version: int, *, until: int | None = None) -> Sequence[Event]:
        """The events after that version, up to version `until` (None: all)."""
        return tuple(self._events[version:until])

    @property
    def members(self) -> Mapping[int, Member]:
        """All candidates by number."""
        return MappingProxyType(self._members)

    def those(self, *standings: Standing) -> list[Member]:
        """The candidates with one of these standings, in the order of their first event."""
        return [member for member in self._members.values() if member.standing in standings]

    def count(self, standing: Standing) -> int:
        """How many candidates have this standing."""
        return self._counts[standing]

    def apply(self, event: Event) -> None:
        """Take one event.

        Raises InvalidObservation for an observation that can't be, ValueError for a candidate resumed that is not
        paused and for features that can't be; and then takes nothing.
        """
        number = event.candidate
        if isinstance(event, Described):
            self.describe(number, event.features)
            self._events.append(event)
            return
        member = self._members.get(number) or Member(
            candidate=number, curve=Curve(), standing=Standing.RUNNING
        )
        if isinstance(event, Observed):
            curve = Curve() if member.standing is Standing.LOST else member.curve
            curve.append(
                event.epoch,
                val_accuracy=event.val_accuracy,
                val_loss=event.val_loss,
                train_loss=event.train_loss,
                train_accuracy=event.train_accuracy,
            )
            standing = Standing.RUNNING if member.standing in _GOES_ON else member.standing
            audited = member.audited
        elif isinstance(event, Resumed):
            if member.standing is not Standing.PAUSED:
                raise ValueError(f"candidate {number} can't be resumed: it is not paused")
            curve, standing, audited = member.curve, Standing.RUNNING, member.audited
        else:
            curve, standing, audited = member.curve, event.standing, event.audited
            self._versions_of_ends.append(len(self._events) + 1)
        if number in self._members:
            self._counts[member.standing] -= 1
        self._counts[standing] += 1
        self._members[number] = Member(candidate=number, curve=curve, standing=standing, audited=audited)
        self._events.append(event)

    def observe(self, event: Observed) -> None:
        """Take an observation from the engine that watches the candidate."""
        self.apply(event)

    def end(self, event: Ended) -> None:
        """Take from the engine that watches the candidate how it left its trainer."""
        self.apply(event)

    def describe(self, candidate: int, features: Numbers) -> None:
        """What is known of a candidate before it is trained: its layers, weights, learning rate, by name.

        This is no event, and the version does not count it, because it follows from what the candidate is: whoever
        rebuilds a history describes its candidates again, or applies `Described`. Raises ValueError for a value that
        is not finite, a name that comes twice, and features that differ from the candidate's first ones.
        """
        names = [name for name, _ in features]
        if len(set(names)) < len(names) or not all(math.isfinite(value) for _, value in features):
            raise ValueError(
                f"candidate {candidate}: features = {features!r}: each once, with a finite value"
            )
        if self._features.setdefault(candidate, features) != features:
            raise ValueError(f"candidate {candidate} has been described as {self._features[candidate]!r}")

    def features_of(self, candidate: int) -> Numbers:
        """What the candidate was described by; empty where it was not."""
        return self._features.get(candidate, ())

    def recall(self, key: Hashable, token: Hashable, build: Callable[[], _T]) -> _T:
        """What `build` made when it was last called for `key` with this `token`; calls it if that changed.

        For models learned from the history: `token` says what of it they rest on (`version`, `num_ended`), and
        `build` must depend on that alone.
        """
        known = self._memory.get(key)
        if known is not None and known[0] == token:
            return known[1]  # type: ignore[no-any-return]
        value = build()
        self._memory[key] = (token, value)
        return value


_GOES_ON = (Standing.RUNNING, Standing.PAUSED, Standing.LOST)
"""With one of these standings, an observation makes a candidate running; that of an ended one is only recorded."""


class MirroredHistory(History):
    """A copy of a history that is kept elsewhere: engines read it, and only `apply` adds to it."""

    def observe(self, event: Observed) -> None:
        """Nothing: the original history tells it, in its own order."""

    def end(self, event: Ended) -> None:
        """Nothing: the original history tells it, in its own order."""
