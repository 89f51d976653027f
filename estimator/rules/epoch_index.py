"""What accuracies the candidates of a population had when they reached an epoch: an index, kept up to date."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import NamedTuple

import numpy as np

from estimator.curve import SLACK, Curve
from estimator.history import Ended, History, Standing

__all__ = ["AccuraciesAtEpoch", "accuracies_at"]

COUNTED = (Standing.RUNNING, Standing.PAUSED, Standing.STOPPED, Standing.FINISHED)


class AccuraciesAtEpoch(NamedTuple):
    """A candidate's accuracies up to its first observation at or after an epoch, percent."""

    best: float
    average: float


def accuracies_at(epoch: float, history: History) -> dict[int, AccuraciesAtEpoch]:
    """By number, the accuracies at `epoch` of all that have reached it; lost and failed ones are left out."""
    index = history.recall(_EpochIndex, None, _EpochIndex)  # the index itself is never out of date
    reached = index.at(epoch, history)
    members = history.members
    return {number: reached[number] for number in reached if members[number].standing in COUNTED}


class _EpochIndex:
    """Accuracies at each epoch that was ever asked for; at any version, a function of the history alone."""

    def __init__(self) -> None:
        self._version = 0
        self._epochs: list[float] = []
        self._reached: dict[float, dict[int, AccuraciesAtEpoch]] = {}
        self._seen: dict[int, float] = {}

    def at(self, epoch: float, history: History) -> dict[int, AccuraciesAtEpoch]:
        self._follow(history)
        if epoch not in self._reached:
            insort(self._epochs, epoch)
            self._reached[epoch] = {
                number: _accuracies(member.curve, epoch)
                for number, member in history.members.items()
                if member.standing is not Standing.LOST and member.curve.last_epoch >= epoch - SLACK
            }
        return self._reached[epoch]

    def _follow(self, history: History) -> None:
        if self._version == history.version:
            return
        changed = {}
        for event in history.events_since(self._version):
            if isinstance(event, Ended) and event.standing is Standing.LOST:
                self._forget(event.candidate)
            changed[event.candidate] = True
        self._version = history.version
        for number in changed:
            member = history.members.get(number)  # a candidate that has only been described is no member
            if member is not None and member.standing is not Standing.LOST:
                self._record(number, member.curve)

    def _forget(self, number: int) -> None:
        self._seen.pop(number, None)
        for reached in self._reached.values():
            reached.pop(number, None)

    def _record(self, number: int, curve: Curve) -> None:
        first = bisect_right(self._epochs, self._seen.get(number, 0.0) + SLACK)
        last = bisect_right(self._epochs, curve.last_epoch + SLACK)
        for epoch in self._epochs[first:last]:
            self._reached[epoch][number] = _accuracies(curve, epoch)
        self._seen[number] = curve.last_epoch


def _accuracies(curve: Curve, epoch: float) -> AccuraciesAtEpoch:
    index = int(np.searchsorted(curve.epochs, epoch - SLACK))
    average = float(curve.val_accuracy[: index + 1].mean())
    return AccuraciesAtEpoch(best=float(curve.best_so_far[index]), average=average)
