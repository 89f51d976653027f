"""Promotions: which paused candidate goes on next, and the estimates of those that are paused in the end."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from estimator.curve import SLACK, Curve
from estimator.forecasters import BestSoFar
from estimator.history import History, Standing
from estimator.rules.epoch_index import accuracies_at
from estimator.rules.rungs import Brackets, Cohort, Rung, require_rising
from estimator.values import Action, Decision, Reason

__all__ = ["AsynchronousHalving", "NoPromotion", "Promotion", "SynchronousHalving"]


class Promotion(ABC):
    """The population's half of a rule that pauses. Keeps no state: the same history, the same answer."""

    __slots__ = ()

    @abstractmethod
    def promote(self, history: History, *, num_new: int) -> int | None:
        """The paused candidate that goes on next, by number; None: a new one should begin, or none.

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


@dataclass(frozen=True, kw_only=True, slots=True)
class AsynchronousHalving(Promotion):
    """Promote from the highest rung where one of the best `keep` still waits; else begin a new candidate.

    Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2. A
    promoted candidate still counts in the rung that it came from, so each rung promotes `keep` of all that reached it.
    """

    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        require_rising(self.rungs)

    def promote(self, history: History, *, num_new: int) -> int | None:
        above = math.inf
        for rung in reversed(self.rungs):
            ranked = _ranked_at(rung, history, among=history.members)
            for number in ranked[: rung.num_kept(len(ranked))]:
                if _is_paused_below(above, number, history):
                    return number
            above = rung.epoch
        return None

    def settle(self, history: History) -> Mapping[int, Decision]:
        return _stop_paused(history)


@dataclass(frozen=True, kw_only=True, slots=True)
class SynchronousHalving(Promotion):
    """Promote the best `keep` of a rung, at least one, once all of its cohort that can reach it are there.

    Jamieson and Talwalkar (AISTATS 2016), Algorithm 1; the cohorts of several brackets make Hyperband (Li et
    al., JMLR 2018, Algorithm 1). While none can be promoted, new candidates begin, those of the next
    cohorts included. A cohort that the search doesn't fill is complete once no new candidate can be started and
    all that were described have come to the rung, or will not come.
    """

    brackets: Brackets

    def promote(self, history: History, *, num_new: int) -> int | None:
        waiting = (member.candidate for member in history.those(Standing.PAUSED))
        cohorts = {(cohort := self.brackets.cohort(number)).first: cohort for number in waiting}
        for _, cohort in sorted(cohorts.items()):
            number = _promotable(cohort, history, num_new=num_new)
            if number is not None:
                return number
        return None

    def settle(self, history: History) -> Mapping[int, Decision]:
        return _stop_paused(history)


def _promotable(cohort: Cohort, history: History, *, num_new: int) -> int | None:
    """Which candidate of the cohort goes on next; None while others that it is compared with are yet to arrive."""
    rungs = cohort.bracket.rungs
    entrants: Iterable[int] = cohort.numbers
    for index, rung in enumerate(rungs):
        if any(_is_expected(number, rung, history, num_new=num_new) for number in entrants):
            return None
        ranked = _ranked_at(rung, history, among=cohort.numbers)
        entrants = ranked[: max(1, rung.num_kept(len(ranked)))]
        above = rungs[index + 1].epoch if index + 1 < len(rungs) else math.inf
        for number in entrants:
            if _is_paused_below(above, number, history):
                return number
    return None


def _is_expected(number: int, rung: Rung, history: History, *, num_new: int) -> bool:
    """Whether this candidate may still reach the rung."""
    member = history.members.get(number)
    if member is None:
        # One that has been described but not observed yet has a trainer, or waits for one.
        return num_new > 0 or bool(history.features_of(number))
    if member.standing in (Standing.RUNNING, Standing.PAUSED):
        return member.curve.last_epoch < rung.epoch - SLACK
    return member.standing is Standing.LOST


def _ranked_at(rung: Rung, history: History, *, among: Collection[int]) -> list[int]:
    """Those that have reached the rung, best first; of equals the lower number first."""
    reached = accuracies_at(rung.epoch, history)
    return sorted(reached.keys() & set(among), key=lambda number: (-reached[number].best, number))


def _is_paused_below(epoch: float, number: int, history: History) -> bool:
    """Whether the candidate is paused and has not reached `epoch`."""
    member = history.members[number]
    return member.standing is Standing.PAUSED and member.curve.last_epoch < epoch - SLACK


def _stop_paused(history: History) -> Mapping[int, Decision]:
    """For all that are still paused, the decision to stop: the best accuracy so far, with an unknown spread."""
    return {
        member.candidate: _stop(member.curve, version=history.version)
        for member in history.those(Standing.PAUSED)
    }


def _stop(curve: Curve, *, version: int) -> Decision:
    return Decision(
        action=Action.STOP,
        reason=Reason.RUNG,
        estimate=curve.best_accuracy,
        forecast=BestSoFar().forecast(curve),
        numbers=(("last_epoch", curve.last_epoch),),
        version=version,
    )
