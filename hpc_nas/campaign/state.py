"""Where every candidate stands, rebuilt from the ledger: events in, questions answered, no side effects.

The ledger rules. Whatever happens is first appended there and then applied here; a resumed campaign applies
the same events again and stands where the old one stood. No question costs more the more candidates there are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush

from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupEnded,
    GroupStarted,
    SpaceExhausted,
)
from hpc_nas.values import Candidate, Outcome, Reason, State

MAX_CHARGES = 2


@dataclass
class Entry:
    """One candidate's standing."""

    candidate: Candidate
    state: State = State.QUEUED
    attempt: int = -1  # the last one handed out
    group: int = -1
    charges: int = 0
    quarantined: bool = False
    interrupted: int = -1  # the last attempt that was set aside
    checkpoint: str | None = None  # named when the last attempt was set aside; not after a loss
    unsaved_pauses: int = 0  # in a row: set aside by a rule, and no checkpoint could be written
    outcome: Outcome | None = None


@dataclass
class CampaignState:
    """All candidates by number, and the groups that were started and have not ended."""

    num_candidates: int
    entries: dict[int, Entry] = field(default_factory=dict)
    open_groups: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    num_ended: int = 0
    num_in_flight: int = 0
    """Candidates that some group has in hand."""
    _in_flight: dict[int, dict[int, Entry]] = field(default_factory=lambda: defaultdict(dict))
    # By number, quarantined apart; a candidate that is queued no more is dropped when it comes to the top.
    _waiting: dict[bool, list[int]] = field(default_factory=lambda: {False: [], True: []})

    def apply(self, event: Event) -> None:
        """Take one event of the ledger into account."""
        if isinstance(event, CandidateDrawn):
            entry = self.entries[event.candidate.number] = Entry(candidate=event.candidate)
            self._move(entry, State.QUEUED)
        elif isinstance(event, AttemptStarted):
            self._start(self.entries[event.candidate], event)
        elif isinstance(event, AttemptInterrupted):
            self._interrupt(self.entries[event.candidate], event)
        elif isinstance(event, AttemptLost):
            entry = self.entries[event.candidate]
            entry.charges += event.charged
            # A charge answers the question whose fault it was; being lost again without one asks it anew.
            entry.quarantined = event.quarantined
            entry.checkpoint = None
            self._move(entry, State.QUEUED)
        elif isinstance(event, CandidateEnded):
            entry = self.entries[event.outcome.candidate]
            self.num_ended += entry.outcome is None
            entry.outcome, entry.quarantined = event.outcome, False
            self._move(entry, event.outcome.state)
        elif isinstance(event, SpaceExhausted):
            self.num_candidates = min(self.num_candidates, event.num_candidates)
        elif isinstance(event, GroupStarted):
            self.open_groups.add(event.group)
        elif isinstance(event, GroupEnded):
            self.open_groups.discard(event.group)

    def _start(self, entry: Entry, event: AttemptStarted) -> None:
        self._move(entry, State.QUEUED)  # out of the hands of another group, if the ledger says so
        entry.attempt, entry.group = event.attempt, event.group
        self._move(entry, State.RUNNING)

    def _interrupt(self, entry: Entry, event: AttemptInterrupted) -> None:
        entry.interrupted = event.attempt
        entry.checkpoint = event.checkpoint
        if event.how == "paused":
            entry.quarantined = False  # it has lived to a decision
            entry.unsaved_pauses += 1
        if event.checkpoint is not None:
            entry.unsaved_pauses = 0
        # A rule's pause can be kept only with something to go on from.
        paused = event.how == "paused" and event.checkpoint is not None
        self._move(entry, State.PAUSED if paused else State.QUEUED)

    def _move(self, entry: Entry, state: State) -> None:
        number = entry.candidate.number
        if entry.state is State.RUNNING:
            self._in_flight[entry.group].pop(number, None)
            self.num_in_flight -= 1
        self.paused.discard(number)
        entry.state = state
        if state is State.RUNNING:
            self._in_flight[entry.group][number] = entry
            self.num_in_flight += 1
        elif state is State.PAUSED:
            self.paused.add(number)
        elif state is State.QUEUED:
            heappush(self._waiting[entry.quarantined], number)

    @property
    def num_drawn(self) -> int:
        """Candidates that the strategy has drawn; the next one has this number."""
        return len(self.entries)

    @property
    def num_new(self) -> int:
        """Candidates that may still be drawn."""
        return max(0, self.num_candidates - self.num_drawn)

    @property
    def complete(self) -> bool:
        """Has every candidate an outcome?"""
        return self.num_ended >= self.num_candidates

    def in_flight(self, group: int) -> list[Entry]:
        """What a group has in hand: running there, or held ready there."""
        return list(self._in_flight[group].values()) if group in self._in_flight else []

    def attempts_in_flight(self, group: int) -> set[tuple[int, int]]:
        """The same as (candidate, attempt)."""
        return {(entry.candidate.number, entry.attempt) for entry in self.in_flight(group)}

    def next_queued(self, *, quarantined: bool) -> Entry | None:
        """The first candidate that waits for another attempt; paused ones don't, they are promoted."""
        waiting = self._waiting[quarantined]
        while waiting:
            entry = self.entries[waiting[0]]
            if entry.state is State.QUEUED and entry.quarantined is quarantined:
                return entry
            heappop(waiting)
        return None

    def is_current(self, candidate: int, *, attempt: int) -> bool:
        """Is this the attempt that counts, and does it still run?"""
        entry = self.entries.get(candidate)
        return entry is not None and entry.state is State.RUNNING and entry.attempt == attempt

    def counts(self, candidate: int, *, attempt: int, group: int) -> bool:
        """Is this the attempt that counts, and does it run in this group?"""
        return self.is_current(candidate, attempt=attempt) and self.entries[candidate].group == group

    def may_run_again(self, number: int) -> bool:
        """False once a candidate has been charged twice."""
        return self.entries[number].charges < MAX_CHARGES

    def crashed(self, number: int, *, message: str) -> Outcome:
        """The outcome of a candidate whose rank died twice under it."""
        entry = self.entries[number]
        return Outcome(
            candidate=number,
            attempt=max(entry.attempt, 0),
            state=State.FAILED,
            reason=Reason.CRASHED,
            message=message,
        )
