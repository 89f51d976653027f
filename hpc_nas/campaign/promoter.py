"""Which paused candidate goes on, and what the rest is worth in the end: the preset's promotion over the history."""

from __future__ import annotations

import logging
import math

import estimator
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.state import CampaignState
from hpc_nas.values import Outcome, Reason, State

logger = logging.getLogger(__name__)


class Promoter:
    """Asks the promotion once for each version of the history: the same history, the same answer."""

    def __init__(self, promotion: estimator.Promotion, *, history: HistoryRecorder, state: CampaignState):
        self._promotion = promotion
        self._history = history
        self._state = state
        self._asked: tuple[int, int] | None = None
        self._answer: int | None = None

    def next(self) -> int | None:
        """The paused candidate to train on next, by number; None: a new one, or none at all."""
        if not self._state.paused:
            return None
        num_new = self._num_new
        question = (self._history.version, num_new)
        if question != self._asked:
            self._answer = self._promotion.promote(self._history.view, num_new=num_new)
            self._asked = question
        if self._answer is not None and self._answer not in self._state.paused:
            logger.error("candidate %d was promoted, but the ledger does not have it paused", self._answer)
            self._answer = None
        return self._answer

    @property
    def _num_new(self) -> int:
        """Candidates that no group has had yet: those still to be drawn, and one that was drawn ahead."""
        waiting = self._state.next_queued(quarantined=False)
        return self._state.num_new + (waiting is not None and waiting.attempt < 0)

    def settle(self) -> list[Outcome]:
        """The search is over: outcomes of all that are still paused, in order of number."""
        decisions = self._promotion.settle(self._history.view)
        return [self._outcome(number, decisions.get(number)) for number in sorted(self._state.paused)]

    def _outcome(self, number: int, decision: estimator.Decision | None) -> Outcome:
        member = self._history.view.members.get(number)
        curve = member.curve if member is not None else estimator.Curve()
        if decision is None or decision.reason is None:  # the promotion has no word on it
            reason, estimate, spread = Reason.BUDGET, _best(curve), math.nan
        else:
            reason, estimate, spread = decision.reason, decision.estimate, decision.spread
        return Outcome(
            candidate=number,
            attempt=self._state.entries[number].attempt,
            state=State.STOPPED,
            reason=reason,
            estimate=_finite(estimate),
            spread=_finite(spread),
            best_accuracy=_finite(_best(curve)),
            epochs=curve.last_epoch,
            message="paused, and not promoted before the search was over",
        )


def _best(curve: estimator.Curve) -> float:
    return curve.best_accuracy if len(curve) else math.nan


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
