"""The trainers of a group as its estimator rank knows them: who is there, trains what, hangs; what they are told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from mpi4py import MPI

import estimator
from hpc_nas.configuration import GroupSection
from hpc_nas.errors import LaunchError
from hpc_nas.group.assignment import Assignment
from hpc_nas.group.attempt_monitor import Signal
from hpc_nas.group.hangs import Hang, HangWatch
from hpc_nas.group.wire import COMMAND_TAG, Leave, Outbox, Pause, Present, Stop, Train

_Key = tuple[int, int]


class Trainers:
    """Sends trainers what they are to do, and keeps account of it; attempts are (candidate, attempt)."""

    def __init__(self, comm: MPI.Comm, *, section: GroupSection):
        self._num_trainers = comm.size - 1
        self._outbox = Outbox(comm, tag=COMMAND_TAG)
        self._schedule = TrainerSchedule(
            num_trainers=self._num_trainers,
            prefetch=section.prefetch if section.prefetch is not None else self._num_trainers,
        )
        self._ready = ReadyTrainers(num_trainers=self._num_trainers, timeout_s=section.start_timeout_s)
        self._hangs = HangWatch(section)
        self._placed: dict[_Key, int] = {}

    @property
    def busy(self) -> bool:
        """Is there anything to hear from a trainer soon?"""
        return not self._schedule.all_present or bool(self._schedule.running)

    @property
    def training(self) -> list[int]:
        """The trainers that train."""
        return sorted(self._schedule.running)

    @property
    def credits(self) -> int:
        """Assignments that the campaign may have sent in all."""
        return self._schedule.credits

    def present(self, trainer: int, report: Present) -> list[str] | None:
        """A trainer has reported for work; the devices of all of them once the last has come."""
        self._ready.present(trainer, report)
        self._schedule.present(trainer)
        return self._ready.devices if self._ready.complete else None

    def check_present(self) -> None:
        """Raises LaunchError when a trainer has not come in time."""
        self._ready.check()

    def where(self, trainer: int) -> str:
        """Where it sits, in words."""
        return self._ready.where(trainer)

    def receive(self, assignments: Sequence[Assignment]) -> None:
        """To be trained as soon as somebody is free."""
        self._schedule.receive(list(assignments))

    def place(self) -> None:
        """Free trainers get what is held for them."""
        for trainer, assignment in self._schedule.place():
            self._outbox.send(Train(assignment=assignment), to=trainer)
            key = assignment.candidate.number, assignment.attempt
            self._placed[key] = trainer
            self._hangs.started(key, trainer=trainer, now=time.monotonic())

    def was_placed(self, trainer: int, key: _Key) -> bool:
        """Was this trainer given that attempt, now or before?"""
        return self._placed.get(key) == trainer

    def trainer_of(self, key: _Key) -> int | None:
        """Who trains this attempt; None if nobody does any more."""
        return self._schedule.trainer_of(*key)

    def signal(self, signal: Signal, *, key: _Key, trainer: int) -> None:
        """Tell the trainer to leave the attempt, for good or for now."""
        kind = Pause if signal.action is estimator.Action.PAUSE else Stop
        self._outbox.send(kind(candidate=key[0], attempt=key[1], reason=signal.reason), to=trainer)

    def observed(self, key: _Key) -> None:
        """An attempt has shown that it goes on."""
        self._hangs.observed(key, now=time.monotonic())

    def overdue(self) -> list[Hang]:
        """The attempts that hang; to be asked in every turn."""
        return self._hangs.overdue(now=time.monotonic())

    def left(self, trainer: int, *, key: _Key) -> bool:
        """A trainer has left an attempt, and is free; False for one that had been dropped."""
        self._hangs.ended(key)
        return self._schedule.left(trainer) is not None

    def drop(self, trainer: int) -> None:
        """A trainer can't go on: it gets nothing any more, and what it had is not waited for."""
        assignment = self._schedule.lost(trainer)
        if assignment is not None:
            self._hangs.ended((assignment.candidate.number, assignment.attempt))

    def send_away(self) -> None:
        """All are to leave; what is held goes back to the campaign with the group's end."""
        self._schedule.close()
        for trainer in range(self._num_trainers):
            self._outbox.send(Leave(), to=trainer)

    def flush(self, *, timeout_s: float) -> None:
        """Wait until all that was sent has been taken."""
        self._outbox.flush(timeout_s=timeout_s)


class ReadyTrainers:
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


class TrainerSchedule:
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
