"""Draws in generations: all of one must have ended before the next begins, as the published algorithms do.

It costs what the trainers wait for the slowest candidate of each generation; it is there for exact reproductions, and
to measure that cost.
"""

from __future__ import annotations

from hpc_nas.search.strategy import Strategy, Supply
from hpc_nas.values import Candidate, Outcome

__all__ = ["Generational"]


class Generational(Strategy):
    """Any strategy, made to wait after every `size` candidates until none of them runs; a paused one does not."""

    def __init__(self, strategy: Strategy, *, size: int) -> None:
        self._strategy = strategy
        self._size = size
        self._num_drawn = 0
        self._running: set[int] = set()

    @property
    def supply(self) -> Supply:
        waits = self._num_drawn % self._size == 0 and bool(self._running)
        supply = self._strategy.supply
        return Supply.WAITING if waits and supply is Supply.READY else supply

    def ask(self, number: int) -> Candidate:
        candidate = self._strategy.ask(number)
        self._drawn(number)
        return candidate

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        self._strategy.tell(candidate, outcome)
        self._running.discard(candidate.number)

    def restore(self, candidate: Candidate) -> None:
        self._strategy.restore(candidate)
        self._drawn(candidate.number)

    def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None:
        self._strategy.pause(candidate, epochs=epochs, accuracy=accuracy)
        self._running.discard(candidate.number)

    def learn(self, candidate: Candidate, outcome: Outcome) -> None:
        self._strategy.learn(candidate, outcome)

    def _drawn(self, number: int) -> None:
        self._num_drawn += 1
        self._running.add(number)
