"""Who of a group's trainers does what, and which candidates are held ready: plain bookkeeping."""

from __future__ import annotations

from collections import deque

from hpc_nas.group.assignment import Assignment


class Roster:
    """Trainers, what they train, and the few assignments held ready for whoever is free next.

    `credits` counts the assignments that the group is willing to have received since it started: all that
    have come, plus one for each free trainer and each empty place in the prefetch.
    """

    def __init__(self, *, num_trainers: int, prefetch: int):
        self._num_trainers = num_trainers
        self._prefetch = prefetch
        self._free: deque[int] = deque()
        self._present: set[int] = set()
        self._held: deque[Assignment] = deque()
        self._running: dict[int, Assignment] = {}
        self._received = 0
        self._closed = False

    @property
    def all_present(self) -> bool:
        """Have all trainers reported?"""
        return len(self._present) == self._num_trainers

    @property
    def credits(self) -> int:
        """Assignments the campaign may have sent in all; 0 until every trainer is there."""
        if not self.all_present:
            return 0
        if self._closed:
            return self._received
        wanted = len(self._free) + self._prefetch - len(self._held)
        return self._received + max(0, wanted)

    @property
    def running(self) -> dict[int, Assignment]:
        """What each busy trainer trains, by rank."""
        return dict(self._running)

    def present(self, trainer: int) -> None:
        """A trainer has reported for work."""
        self._present.add(trainer)
        self._free.append(trainer)

    def receive(self, assignments: list[Assignment]) -> None:
        """Assignments have come from the campaign."""
        self._received += len(assignments)
        if not self._closed:
            self._held.extend(assignments)

    def close(self) -> None:
        """Nothing is placed any more: what is held goes back to the campaign with the group's end."""
        self._held.clear()
        self._closed = True

    def place(self) -> list[tuple[int, Assignment]]:
        """Hand held assignments to free trainers; the caller sends what is returned."""
        placed = []
        while self._free and self._held:
            trainer, assignment = self._free.popleft(), self._held.popleft()
            self._running[trainer] = assignment
            placed.append((trainer, assignment))
        return placed

    def left(self, trainer: int) -> Assignment | None:
        """A trainer is free again; what it had, or None if it had nothing."""
        assignment = self._running.pop(trainer, None)
        if assignment is not None:
            self._free.append(trainer)
        return assignment

    def lost(self, trainer: int) -> Assignment | None:
        """A trainer can't go on: it is neither busy nor free any more; what it had, or None if it had nothing."""
        return self._running.pop(trainer, None)

    def trainer_of(self, candidate: int, attempt: int) -> int | None:
        """Who trains this attempt now; None if nobody does (it is over: a signal would be stale)."""
        for trainer, assignment in self._running.items():
            if (assignment.candidate.number, assignment.attempt) == (candidate, attempt):
                return trainer
        return None
