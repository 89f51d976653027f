"""Promotions of `adaptive`: train on where the ranking is undecided, or where the best may still be found."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estimator.adaptive.field import Field
from estimator.adaptive.levels import Levels
from estimator.adaptive.outlook import Outlook, final_outlook, forecast_of, outlook_of
from estimator.adaptive.worth import worth_for_best, worth_for_selection
from estimator.checks import require_count, require_positive, require_probability
from estimator.forecasters.learned.curve_matrix import Array
from estimator.history import History, Standing
from estimator.promotion import Promotion
from estimator.rules.base import stop
from estimator.values import Decision, Reason

__all__ = ["PromoteContenders", "PromoteUndecided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _PromoteWorthiest(Promotion):
    """All candidates are first seen at the first level; then the one goes on whose next level is worth most."""

    levels: Levels

    def promote(self, history: History, *, num_new: int) -> int | None:
        paused = history.those(Standing.PAUSED)
        if num_new or not paused:
            return None
        outlook = outlook_of(history, self.levels)
        if outlook is None or self._is_decided(outlook):
            return None
        ranking = history.recall(
            ("worth", self), outlook.rests_on, lambda: _by_worth(outlook.field, self._worth(outlook))
        )
        lengths = {member.candidate: len(member.curve) for member in paused}
        known = [number for number, _ in ranking if number in lengths]
        # Those that have gone on since the outlook come after those that stand as it saw them.
        fresh = (number for number, length in ranking if lengths.get(number) == length)
        return next(fresh, known[0] if known else paused[0].candidate)

    def settle(self, history: History) -> Mapping[int, Decision]:
        outlook = final_outlook(history, self.levels)
        paused = np.array([member.candidate for member in history.those(Standing.PAUSED)], dtype=np.int64)
        if outlook is None or not len(paused):
            return {}
        places = np.flatnonzero(np.isin(outlook.field.numbers, paused))
        posterior, selection = outlook.posterior.of(places), outlook.selection
        numbers = outlook.field.numbers[places].tolist()
        forecasts = forecast_of(posterior, curves=[history.members[number].curve for number in numbers])
        decisions = {}
        for index, (number, forecast) in enumerate(zip(numbers, forecasts, strict=True)):
            among_best = posterior.mean[index] >= selection.thresholds[-1]
            decision = stop(
                forecast,
                reason=Reason.CONVERGED if among_best else Reason.UNLIKELY_BEST,
                numbers=(("expected_overlap", float(selection.overlaps.min())),),
            )
            decisions[number] = replace(decision, version=history.version)
        return decisions

    @abstractmethod
    def _is_decided(self, outlook: Outlook) -> bool:
        """Whether no further training is worth its epochs."""

    @abstractmethod
    def _worth(self, outlook: Outlook) -> Array:
        """What training on is worth for each candidate of the field, [n]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromoteContenders(_PromoteWorthiest):
    """Until all that have not finished are together expected to surpass the best by `tolerance` points at most,
    and the `num_finalists` best by forecast have finished.
    """

    tolerance: float
    num_finalists: int = 5

    def __post_init__(self) -> None:
        require_positive("tolerance", self.tolerance)
        require_count("num_finalists", self.num_finalists, minimum=1)

    def _is_decided(self, outlook: Outlook) -> bool:
        return self._is_surpassed(outlook) and not len(self._open_finalists(outlook))

    def _worth(self, outlook: Outlook) -> Array:
        worth = worth_for_best(outlook.field, outlook.posterior, self.levels.epochs, bar=_best_known(outlook))
        if self._is_surpassed(outlook):
            worth[self._open_finalists(outlook)] += float(worth.max()) + 1.0
        return worth

    def _is_surpassed(self, outlook: Outlook) -> bool:
        """Are the others together expected to surpass the best known by no more than the tolerance?"""
        bar = _best_known(outlook)
        points_per_score = float(np.exp(-bar))  # the derivative of 101 - exp(-z)
        return float(outlook.posterior.excess(bar).sum()) * points_per_score <= self.tolerance

    def _open_finalists(self, outlook: Outlook) -> NDArray[np.intp]:
        """Places of those among the best by forecast that have not finished."""
        best = np.argsort(-outlook.posterior.mean, kind="stable")[: self.num_finalists]
        return best[~outlook.field.finished[best]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromoteUndecided(PromoteContenders):
    """First until the overlap to be expected of each of the best 10, 20 and 30 % is `enough_overlap` (0..1), then
    the contenders for the first place as well.
    """

    enough_overlap: float = 0.9

    def __post_init__(self) -> None:
        PromoteContenders.__post_init__(self)
        require_probability("enough_overlap", self.enough_overlap)

    def _is_decided(self, outlook: Outlook) -> bool:
        return self._is_selected(outlook) and PromoteContenders._is_decided(self, outlook)

    def _worth(self, outlook: Outlook) -> Array:
        if self._is_selected(outlook):
            return PromoteContenders._worth(self, outlook)
        return worth_for_selection(outlook.field, outlook.posterior, outlook.selection, self.levels.epochs)

    def _is_selected(self, outlook: Outlook) -> bool:
        return bool(outlook.selection.overlaps.min() >= self.enough_overlap)


def _by_worth(field: Field, worth: Array) -> list[tuple[int, int]]:
    """Number and length of those that have not finished, the worthiest first; equals by their place."""
    order = np.argsort(-worth, kind="stable")
    order = order[~field.finished[order]]
    return list(zip(field.numbers[order].tolist(), field.lengths[order].tolist(), strict=True))


def _best_known(outlook: Outlook) -> float:
    """The highest final score that has been measured; the highest forecast while there is none."""
    finished = outlook.field.finished
    scores = outlook.posterior.mean[finished] if finished.any() else outlook.posterior.mean
    return float(scores.max())
