"""What a replay says: for each candidate when it ended, for which reason, and what it was taken to be worth."""

from __future__ import annotations

from dataclasses import dataclass

from hpc_nas.values import Reason

__all__ = ["Replay", "Replayed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """How one candidate fared.

    - `index`: its row in the curve set; `id`: its name there.
    - `stop_epoch`: epochs trained; `reason`: `full_budget`, or why it was stopped.
    - `estimate`, `spread`: percent, points; of a candidate trained to the end measured, with spread 0.
    - `low`, `high`: the 90 % interval of the forecast it was stopped on; NaN without one.
    - `num_pauses`, `num_decisions`: how often it was paused, and looked at.
    - `version`: of the history that the last decision rests on.
    """

    index: int
    id: str
    stop_epoch: float
    estimate: float
    spread: float
    low: float
    high: float
    reason: Reason
    num_pauses: int
    num_decisions: int
    version: int

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its full budget."""
        return self.reason is not Reason.FULL_BUDGET


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """One replay of a whole set: the candidates in the order of the curve set's rows."""

    candidates: tuple[Replayed, ...]

    @property
    def epochs(self) -> float:
        """Epochs trained in all."""
        return sum(candidate.stop_epoch for candidate in self.candidates)
