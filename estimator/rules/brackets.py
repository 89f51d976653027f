"""Brackets: which candidates compete with each other, and over which rungs."""

from __future__ import annotations

from dataclasses import dataclass

from estimator.checks import require_count
from estimator.rules.rungs import Rung, require_rising

__all__ = ["Bracket", "Brackets", "Cohort"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bracket:
    """So many candidates that begin together, and the rungs below the full budget that thin them out."""

    num_candidates: int
    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        require_count("num_candidates", self.num_candidates, minimum=1)
        require_rising(self.rungs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """The candidates, by number, that fill one bracket once."""

    first: int
    bracket: Bracket

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.bracket.num_candidates)


@dataclass(frozen=True, kw_only=True, slots=True)
class Brackets:
    """Brackets that are filled one after the other by candidates 0, 1, 2, ..., and then again from the first."""

    brackets: tuple[Bracket, ...]

    def __post_init__(self) -> None:
        if not self.brackets:
            raise ValueError("brackets = () must be one or more")

    def cohort(self, candidate: int) -> Cohort:
        """Where the candidate of that number belongs."""
        cycle = sum(bracket.num_candidates for bracket in self.brackets)
        first = candidate - candidate % cycle
        for bracket in self.brackets[:-1]:
            if candidate < first + bracket.num_candidates:
                return Cohort(first=first, bracket=bracket)
            first += bracket.num_candidates
        return Cohort(first=first, bracket=self.brackets[-1])
