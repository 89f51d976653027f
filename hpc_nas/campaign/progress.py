"""What is going on right now: the live half of the campaign's picture, from messages, never from files."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from hpc_nas.group import protocol
from hpc_nas.values import Outcome, State


@dataclass
class Seat:
    """One trainer: what it trains, and how far that is."""

    device: str
    candidate: int | None = None
    epoch: float = 0.0
    val_accuracy: float | None = None
    forecast: float | None = None


class Progress:
    """Trainers' seats, counts of outcomes, epochs spent and saved, in this process's part of the campaign."""

    def __init__(self, *, max_epochs: float):
        self.max_epochs = max_epochs
        self.started_time = time.time()
        self.seats: dict[tuple[int, int], Seat] = {}
        self.outcomes: Counter[str] = Counter()
        self.best: Outcome | None = None
        self.epochs_spent = 0.0
        self.epochs_saved = 0.0
        self.num_ended_here = 0
        self.stopping = ""  # why this process stops; empty while it goes on

    @property
    def num_busy(self) -> int:
        """Trainers that train."""
        return sum(seat.candidate is not None for seat in self.seats.values())

    @property
    def candidates_per_hour(self) -> float:
        """Outcomes since this process started, per hour."""
        elapsed_s = time.time() - self.started_time
        return 3600.0 * self.num_ended_here / elapsed_s if elapsed_s > 0 else 0.0

    def remaining_s(self, num_remaining: int) -> float | None:
        """Time left at the rate so far; None before the first outcome."""
        rate = self.candidates_per_hour
        return 3600.0 * num_remaining / rate if rate > 0 else None

    def group_ready(self, group: int, devices: list[str]) -> None:
        """A group's trainers have taken their seats."""
        for trainer, device in enumerate(devices):
            self.seats.setdefault((group, trainer), Seat(device=device))

    def group_gone(self, group: int) -> None:
        """The seats of a group that has ended."""
        self.seats = {key: seat for key, seat in self.seats.items() if key[0] != group}

    def started(self, group: int, message: protocol.Started) -> None:
        """A trainer has taken up a candidate."""
        device = self.seats[group, message.trainer].device if (group, message.trainer) in self.seats else ""
        self.seats[group, message.trainer] = Seat(device=device, candidate=message.candidate)

    def observed(self, group: int, message: protocol.Progress) -> None:
        """A trainer has made an observation."""
        seat = self.seats.get((group, message.trainer)) if message.trainer is not None else None
        if seat is not None and seat.candidate == message.candidate:
            seat.epoch, seat.val_accuracy, seat.forecast = (
                message.epoch,
                message.val_accuracy,
                message.forecast,
            )

    def ended(self, group: int, message: protocol.Ended) -> None:
        """A trainer is free, unless it has already taken up its next candidate."""
        self._free(group, message.trainer, candidate=message.outcome.candidate)

    def interrupted(self, group: int, message: protocol.Interrupted) -> None:
        """A trainer is free: its candidate was set aside."""
        self._free(group, message.trainer, candidate=message.candidate)

    def outcome(self, outcome: Outcome, *, restored: bool = False) -> None:
        """A candidate has its outcome; `restored` ones were reached before this process began."""
        self.outcomes[outcome.label] += 1
        self.num_ended_here += not restored
        self.epochs_spent += outcome.epochs
        if outcome.state in (State.FINISHED, State.STOPPED):
            self.epochs_saved += self.max_epochs - outcome.epochs
            if self.best is None or _estimate(outcome) > _estimate(self.best):
                self.best = outcome

    def _free(self, group: int, trainer: int, *, candidate: int) -> None:
        seat = self.seats.get((group, trainer))
        if seat is not None and seat.candidate == candidate:
            self.seats[group, trainer] = Seat(device=seat.device)


def _estimate(outcome: Outcome) -> float:
    return outcome.estimate if outcome.estimate is not None else float("-inf")
