"""Attempts that were left to go on later, from the trainer's leaving until its checkpoint is reported."""

from __future__ import annotations

from typing import Literal

from hpc_nas.group.protocol import Interrupted
from hpc_nas.group.wire import Left, Saved
from hpc_nas.values import State

_Key = tuple[int, int]
_How = Literal["paused", "drained"]

INTERRUPTED: dict[State, _How] = {State.PAUSED: "paused", State.CANCELLED: "drained"}
"""How an attempt was interrupted that its trainer has left in such a state; it has ended in any other."""


class PendingCheckpoints:
    """Waits for the checkpoint of each attempt that was paused or drained: its trainer writes it later."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, tuple[int, _How]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def left(self, trainer: int, report: Left) -> None:
        """This trainer has left an attempt in one of the states of `INTERRUPTED`."""
        self._waiting[report.candidate, report.attempt] = trainer, INTERRUPTED[report.state]

    def saved(self, report: Saved) -> Interrupted | None:
        """What to tell of the attempt; None where nobody waits for it."""
        found = self._waiting.pop((report.candidate, report.attempt), None)
        if found is None:
            return None
        trainer, how = found
        return Interrupted(
            trainer=trainer,
            candidate=report.candidate,
            attempt=report.attempt,
            how=how,
            epochs=report.epochs,
            checkpoint=report.checkpoint,
            message=report.message,
        )

    def give_up(self, message: str) -> list[Interrupted]:
        """What to tell of all that is still waited for, and why their checkpoints are not there."""
        keys = list(self._waiting)
        reports = [
            Saved(candidate=candidate, attempt=attempt, epochs=0.0, checkpoint=None, message=message)
            for candidate, attempt in keys
        ]
        return [told for report in reports if (told := self.saved(report)) is not None]
