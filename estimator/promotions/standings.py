"""What promotions at rungs share: who stands where, and what the paused are worth in the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from estimator.curve import SLACK, Curve
from estimator.forecasters import BestSoFar
from estimator.history import History, Standing
from estimator.rules.milestones import progress_at
from estimator.rules.rungs import Rung
from estimator.values import Action, Decision, Reason

__all__ = ["is_paused_below", "ranked_at", "stop_paused"]


def ranked_at(rung: Rung, history: History, *, among: Collection[int]) -> list[int]:
    """Those that have reached the rung, best first; of equals the lower number first."""
    reached = progress_at(rung.epoch, history)
    return sorted(reached.keys() & set(among), key=lambda number: (-reached[number].best, number))


def is_paused_below(epoch: float, number: int, history: History) -> bool:
    """Whether the candidate waits, and has not come as far as `epoch`."""
    member = history.members[number]
    return member.standing is Standing.PAUSED and member.curve.last_epoch < epoch - SLACK


def stop_paused(history: History) -> Mapping[int, Decision]:
    """For all that still wait, the decision to stop: the best accuracy so far, how sure of it unknown."""
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
