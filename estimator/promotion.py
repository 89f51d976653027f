"""Promotion: which paused candidate is worth the next free trainer, and what the rest is worth in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from estimator.history import History
from estimator.values import Decision

__all__ = ["NoPromotion", "Promotion"]


class Promotion(ABC):
    """The population's half of a rule that pauses. Keeps no state: the same history, the same answer."""

    __slots__ = ()

    @abstractmethod
    def promote(self, history: History, *, num_new: int) -> int | None:
        """The paused candidate to train on next, by number; None: rather a new one, or none at all.

        `num_new` candidates could still be started. Asked whenever a trainer is free; if the answer is None,
        nothing new can be started and nothing runs, the search is over.
        """

    @abstractmethod
    def settle(self, history: History) -> Mapping[int, Decision]:
        """Once the search is over: for each candidate still paused, by number, the decision to stop it."""


@dataclass(frozen=True, slots=True)
class NoPromotion(Promotion):
    """For rules that never pause."""

    def promote(self, history: History, *, num_new: int) -> int | None:
        return None

    def settle(self, history: History) -> Mapping[int, Decision]:
        return {}
