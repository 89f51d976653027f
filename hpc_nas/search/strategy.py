"""The seam between a campaign and whatever chooses its candidates: ask, tell, restore."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum

from hpc_nas.errors import SpaceError
from hpc_nas.values import Candidate, Outcome

__all__ = ["NothingLeft", "Strategy", "Supply"]


class NothingLeft(SpaceError):
    """Found out in drawing: what the space has left is no network, or beyond the constraints."""


class Supply(StrEnum):
    """Can the next candidate be asked for?"""

    READY = "ready"
    WAITING = "waiting"  # not before another outcome has been told
    EXHAUSTED = "exhausted"  # never again: the space has no other network


class Strategy(ABC):
    """Chooses candidates, in memory only: the ledger of the campaign is the truth, and is replayed on resume.

    Asynchronous: any number of candidates may be asked for before the first is told. Not thread-safe.
    """

    @property
    def supply(self) -> Supply:
        """To be looked at before each `ask`."""
        return Supply.READY

    @abstractmethod
    def ask(self, number: int) -> Candidate:
        """Draw the candidate of this number, which was neither asked for nor restored before.

        The draw follows from the campaign's seed, the number, and what the strategy has been asked, told and
        restored, in that order; so a resumed campaign goes on as the interrupted one would have.
        Raises SpaceError where the space yields nothing that fits the data and the constraints; NothingLeft where it
        has, but has no more.
        """

    @abstractmethod
    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Take in how a candidate ended: once for each that was asked for or restored."""

    @abstractmethod
    def restore(self, candidate: Candidate) -> None:
        """Take in a candidate that the ledger says was drawn, in place of its `ask`; its outcome is told.

        Raises SpaceError where its parameters do not belong to the space as now configured.
        """

    @abstractmethod
    def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None:
        """A rule has set a running candidate aside after `epochs`, its best accuracy (percent) so far known.

        It may go on later and is told in any case. For strategies that learn from smaller budgets.
        """

    @abstractmethod
    def learn(self, candidate: Candidate, outcome: Outcome) -> None:
        """Take in a finished or stopped candidate of an earlier campaign, before the first `ask`.

        It has no number in this campaign: the one it carries is its old one. Raises SpaceError as `restore`.
        """
