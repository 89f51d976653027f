"""What a decision may look at besides its own curve: the history, and which of its members is being judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from estimator.history import History, Member, Standing

__all__ = ["ALONE", "Population"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """The history as one candidate's decision sees it: everyone but itself."""

    history: History = field(default_factory=History)
    candidate: int = -1

    @property
    def version(self) -> int:
        """The version of the history that a decision made now rests on."""
        return self.history.version

    @property
    def finished(self) -> list[Member]:
        """The others that were trained to the full budget."""
        return self.those(Standing.FINISHED)

    @property
    def others(self) -> list[Member]:
        """All the others that have a curve, lost and failed ones left out."""
        return self.those(Standing.RUNNING, Standing.PAUSED, Standing.STOPPED, Standing.FINISHED)

    def those(self, *standings: Standing) -> list[Member]:
        """The others that stand so, in the order of their first event."""
        return [member for member in self.history.those(*standings) if member.candidate != self.candidate]


ALONE = Population()
"""No other candidate is known."""
