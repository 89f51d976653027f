"""Where every candidate stands, rebuilt from the ledger: events in, questions answered, no side effects.

The ledger rules. Whatever happens is first appended there and then applied here; a resumed campaign applies
the same events again and stands where the old one stood.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hpc_nas.records.ledger import (
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupEnded,
    GroupStarted,
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
    suspect: bool = False
    outcome: Outcome | None = None


@dataclass
class CampaignState:
    """All candidates by number, and the groups that were started and have not ended."""

    num_candidates: int
    entries: dict[int, Entry] = field(default_factory=dict)
    open_groups: set[int] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        """Take one event of the ledger into account."""
        if isinstance(event, CandidateDrawn):
            self.entries[event.candidate.number] = Entry(candidate=event.candidate)
        elif isinstance(event, AttemptStarted):
            entry = self.entries[event.candidate]
            entry.state, entry.attempt, entry.group = State.RUNNING, event.attempt, event.group
        elif isinstance(event, AttemptLost):
            entry = self.entries[event.candidate]
            entry.state = State.QUEUED
            entry.charges += event.charged
            # A charge answers the question whose fault it was; being lost again without one asks it anew.
            entry.suspect = event.suspect
        elif isinstance(event, CandidateEnded):
            entry = self.entries[event.outcome.candidate]
            entry.state, entry.outcome = event.outcome.state, event.outcome
            entry.suspect = False
        elif isinstance(event, GroupStarted):
            self.open_groups.add(event.group)
        elif isinstance(event, GroupEnded):
            self.open_groups.discard(event.group)

    @property
    def num_drawn(self) -> int:
        """Candidates that the strategy has drawn; the next one has this number."""
        return len(self.entries)

    @property
    def num_ended(self) -> int:
        """Candidates with an outcome."""
        return sum(entry.outcome is not None for entry in self.entries.values())

    @property
    def complete(self) -> bool:
        """Has every candidate an outcome?"""
        return self.num_ended >= self.num_candidates

    def in_flight(self, group: int) -> list[Entry]:
        """What a group has in hand: running there, or held ready there."""
        return [e for e in self.entries.values() if e.state is State.RUNNING and e.group == group]

    def attempts_in_flight(self, group: int) -> set[tuple[int, int]]:
        """The same as (candidate, attempt)."""
        return {(entry.candidate.number, entry.attempt) for entry in self.in_flight(group)}

    def next_queued(self, *, suspect: bool) -> Entry | None:
        """The first candidate that waits for another attempt."""
        for number in sorted(self.entries):
            entry = self.entries[number]
            if entry.state is State.QUEUED and entry.suspect is suspect:
                return entry
        return None

    def is_current(self, outcome: Outcome) -> bool:
        """Does this outcome belong to the attempt that counts, and is it the first word on it?"""
        entry = self.entries.get(outcome.candidate)
        return entry is not None and entry.state is State.RUNNING and entry.attempt == outcome.attempt

    def counts(self, candidate: int, *, attempt: int, group: int) -> bool:
        """Is this the attempt that counts, and does it run in this group?"""
        entry = self.entries.get(candidate)
        return entry is not None and (entry.state, entry.attempt, entry.group) == (
            State.RUNNING,
            attempt,
            group,
        )

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
