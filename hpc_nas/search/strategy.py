"""The seam between a campaign and whatever chooses its candidates: ask, tell, restore."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hpc_nas.values import Candidate, Outcome

__all__ = ["Strategy"]


class Strategy(ABC):
    """Chooses candidates, in memory only: the ledger of the campaign is the truth, and `restore` replays it.

    Asynchronous: any number of candidates may be asked for before the first is told. Not thread-safe.
    """

    @abstractmethod
    def ask(self, number: int) -> Candidate:
        """Draw the candidate of this number, which was neither asked for nor restored before.

        The draw follows from the campaign's seed, the number, and what the strategy has been asked, told and
        restored; so a resumed campaign goes on as the interrupted one would have.
        Raises SpaceError where the space yields nothing that fits the data.
        """

    @abstractmethod
    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Take in how a candidate ended: once for each that was asked for or restored without an outcome."""

    @abstractmethod
    def restore(self, candidate: Candidate, outcome: Outcome | None) -> None:
        """Take in a candidate of the ledger, before the first `ask`, in the order in which they were drawn.

        `outcome` is None for one that was drawn and has not ended; it will be told later.
        Raises SpaceError where its parameters do not belong to the space as now configured.
        """
