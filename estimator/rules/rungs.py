"""Rules of successive halving: at a rung, only the best of the candidates that have reached it go on.

`Rungs` stops the others finally. `PauseAtRungs` pauses all; `estimator.promotions` says which go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from estimator.checks import require_count, require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go, pause, stop
from estimator.rules.epoch_index import accuracies_at
from estimator.values import Decision, Reason

__all__ = ["Bracket", "Brackets", "Cohort", "PauseAtRungs", "Rung", "Rungs", "require_rising"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """An epoch at which candidates are compared by their best accuracy, and the share that goes on."""

    epoch: float
    keep: float

    def __post_init__(self) -> None:
        require_positive("rung epoch", self.epoch)
        require_positive("keep", self.keep)
        if self.keep > 1.0:
            raise ValueError(f"keep = {self.keep!r} is a share, above 0 and at most 1")

    def num_kept(self, num_reached: int) -> int:
        """How many go on of those that have reached it, rounded down."""
        return int(self.keep * num_reached + SLACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rungs(Rule):
    """Stop a candidate that is not among the best `keep` of all that have reached the rung, itself included.

    It is judged once at each rung, at its first observation there, against those that came before it. While
    they are so few that less than one would be kept, all go on; so does one that ties with the last that is
    kept. Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), describe the form that
    promotes; where candidates can't be resumed, this one is used (Syne Tune's documentation has both).
    """

    rungs: tuple[Rung, ...]
    alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_rising(self.rungs)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        decision = go(forecast)
        for rung in _crossed(self.rungs, curve):
            reached = accuracies_at(rung.epoch, population.history)
            reached.pop(population.candidate, None)
            num_better = sum(other.best > curve.best_accuracy for other in reached.values())
            numbers = (
                ("rung_epoch", rung.epoch),
                ("rank", num_better + 1.0),
                ("num_curves", len(reached) + 1.0),
            )
            decision = go(forecast, numbers=numbers)
            num_kept = rung.num_kept(len(reached) + 1)
            if forecast is not None and num_better >= num_kept > 0:
                return stop(forecast, reason=Reason.RUNG, numbers=numbers)
        return decision


def _crossed(rungs: Sequence[Rung], curve: Curve) -> list[Rung]:
    """The rungs that the latest observation is the first to reach, lowest first."""
    before = float(curve.epochs[-2]) if len(curve) > 1 else 0.0
    return [rung for rung in rungs if before < rung.epoch - SLACK <= curve.last_epoch]


def require_rising(rungs: Sequence[Rung]) -> None:
    """Rungs stand in the order of their epochs; raises ValueError."""
    if any(later.epoch <= earlier.epoch for earlier, later in pairwise(rungs)):
        epochs = ", ".join(f"{rung.epoch:g}" for rung in rungs)
        raise ValueError(f"rungs at epochs {epochs} must rise")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseAtRungs(Rule):
    """Pause at the first observation that reaches a rung of the candidate's bracket."""

    brackets: Brackets

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        rungs = _crossed(self.brackets.cohort(population.candidate).bracket.rungs, curve)
        if forecast is None or not rungs:
            return go(forecast)
        return pause(forecast, reason=Reason.RUNG, numbers=(("rung_epoch", rungs[-1].epoch),))
