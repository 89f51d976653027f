"""The trainers of a group as its estimator rank knows them: who sits where, trains what, hangs; what they are told."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpi4py import MPI

import estimator
from hpc_nas.configuration import GroupSection
from hpc_nas.group.assignment import Assignment
from hpc_nas.group.attempt_monitor import Signal
from hpc_nas.group.hangs import Hang, HangWatch
from hpc_nas.group.muster import Muster
from hpc_nas.group.roster import Roster
from hpc_nas.group.wire import COMMAND_TAG, Leave, Outbox, Pause, Present, Stop, Train

_Key = tuple[int, int]


class Crew:
    """Sends trainers what they are to do, and keeps account of it; attempts are (candidate, attempt)."""

    def __init__(self, comm: MPI.Comm, *, section: GroupSection):
        self._num_trainers = comm.size - 1
        self._outbox = Outbox(comm, tag=COMMAND_TAG)
        self._roster = Roster(
            num_trainers=self._num_trainers,
            prefetch=section.prefetch if section.prefetch is not None else self._num_trainers,
        )
        self._muster = Muster(num_trainers=self._num_trainers, timeout_s=section.start_timeout_s)
        self._hangs = HangWatch(section)
        self._placed: dict[_Key, int] = {}

    @property
    def busy(self) -> bool:
        """Is there anything to hear from a trainer soon?"""
        return not self._roster.all_present or bool(self._roster.running)

    @property
    def training(self) -> list[int]:
        """The trainers that train."""
        return sorted(self._roster.running)

    @property
    def credits(self) -> int:
        """Assignments that the campaign may have sent in all."""
        return self._roster.credits

    def present(self, trainer: int, report: Present) -> list[str] | None:
        """A trainer has reported for work; the devices of all of them once the last has come."""
        self._muster.present(trainer, report)
        self._roster.present(trainer)
        return self._muster.devices if self._muster.complete else None

    def check_present(self) -> None:
        """Raises LaunchError when a trainer has not come in time."""
        self._muster.check()

    def where(self, trainer: int) -> str:
        """Where it sits, in words."""
        return self._muster.where(trainer)

    def receive(self, assignments: Sequence[Assignment]) -> None:
        """To be trained as soon as somebody is free."""
        self._roster.receive(list(assignments))

    def place(self) -> None:
        """Free trainers get what is held for them."""
        for trainer, assignment in self._roster.place():
            self._outbox.send(Train(assignment=assignment), to=trainer)
            key = assignment.candidate.number, assignment.attempt
            self._placed[key] = trainer
            self._hangs.started(key, trainer=trainer, now=time.monotonic())

    def was_placed(self, trainer: int, key: _Key) -> bool:
        """Was this trainer given that attempt, now or before?"""
        return self._placed.get(key) == trainer

    def trainer_of(self, key: _Key) -> int | None:
        """Who trains this attempt; None if nobody does any more."""
        return self._roster.trainer_of(*key)

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
        return self._roster.left(trainer) is not None

    def drop(self, trainer: int) -> None:
        """A trainer can't go on: it gets nothing any more, and what it had is not waited for."""
        assignment = self._roster.lost(trainer)
        if assignment is not None:
            self._hangs.ended((assignment.candidate.number, assignment.attempt))

    def send_away(self) -> None:
        """All are to leave; what is held goes back to the campaign with the group's end."""
        self._roster.close()
        for trainer in range(self._num_trainers):
            self._outbox.send(Leave(), to=trainer)

    def flush(self, *, timeout_s: float) -> None:
        """Wait until all that was sent has been taken."""
        self._outbox.flush(timeout_s=timeout_s)
