"""Promotion: synchronous successive halving, alone or in Hyperband's brackets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from estimator.curve import SLACK
from estimator.history import History, Standing
from estimator.promotion import Promotion
from estimator.promotions.standings import is_paused_below, ranked_at, stop_paused
from estimator.rules.brackets import Brackets, Cohort
from estimator.rules.rungs import Rung
from estimator.values import Decision

__all__ = ["SynchronousHalving"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SynchronousHalving(Promotion):
    """Promote the best `keep` of a rung, at least one, once all of its cohort that can reach it are there.

    Jamieson and Talwalkar (AISTATS 2016), Algorithm 1; the cohorts of several brackets make Hyperband (Li et
    al., JMLR 2018, Algorithm 1). While nobody can be promoted, new candidates begin, those of the next
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
        return stop_paused(history)


def _promotable(cohort: Cohort, history: History, *, num_new: int) -> int | None:
    """Who of the cohort goes on next; None while all that could be compared with are not there yet."""
    rungs = cohort.bracket.rungs
    entrants: Iterable[int] = cohort.numbers
    for index, rung in enumerate(rungs):
        if any(_is_expected(number, rung, history, num_new=num_new) for number in entrants):
            return None
        ranked = ranked_at(rung, history, among=cohort.numbers)
        entrants = ranked[: max(1, rung.num_kept(len(ranked)))]
        above = rungs[index + 1].epoch if index + 1 < len(rungs) else math.inf
        for number in entrants:
            if is_paused_below(above, number, history):
                return number
    return None


def _is_expected(number: int, rung: Rung, history: History, *, num_new: int) -> bool:
    """Whether this candidate may still come to the rung."""
    member = history.members.get(number)
    if member is None:
        # Described, it is a candidate: nothing of it has been observed yet, but it has a trainer or waits for one.
        return num_new > 0 or bool(history.features_of(number))
    if member.standing in (Standing.RUNNING, Standing.PAUSED):
        return member.curve.last_epoch < rung.epoch - SLACK
    return member.standing is Standing.LOST
