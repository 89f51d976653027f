"""One candidate of a replay: its recorded curve is fed to an engine, observation by observation."""

from __future__ import annotations

import math

from estimator import Decision, Engine, History, InvalidObservation, Preset
from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import SLACK, CurveSet
from hpc_nas.replay.values import Replayed
from hpc_nas.values import Reason

__all__ = ["Watch"]


class Watch:
    """Follows one candidate of a curve set. `result` is None until it has ended."""

    def __init__(
        self, curves: CurveSet, index: int, *, preset: Preset, history: History | None = None, number: int = 0
    ):
        self._curves = curves
        self._index = index
        self._engine = Engine(preset, history=history, candidate=number)
        self._accuracy = curves.val_accuracy[index].tolist()
        self._epochs = curves.epochs.tolist()
        self._extras = {
            name: values[index].tolist()
            for name in ("val_loss", "train_loss", "train_accuracy")
            if (values := getattr(curves, name)) is not None
        }
        self._next = 0
        self._num_pauses = 0
        self.result: Replayed | None = None

    @property
    def epochs_to_next(self) -> float:
        """What the next observation costs, epochs."""
        before = self._epochs[self._next - 1] if self._next else 0.0
        return float(self._epochs[self._next] - before)

    def observe(self) -> Decision:
        """Take the next observation; sets `result` if it is the last one. Raises RecordError."""
        at = self._next
        epoch = self._epochs[at]
        try:
            decision = self._engine.observe(
                epoch,
                val_accuracy=self._accuracy[at],
                **{name: values[at] for name, values in self._extras.items()},
            )
        except InvalidObservation as error:
            raise RecordError(
                f"{self._curves.name}, candidate {self._curves.ids[self._index]}: {error}"
            ) from error
        self._next += 1
        self._num_pauses += decision.pause
        if epoch >= self._engine.preset.max_epochs - SLACK:
            estimate = self._engine.conclude()
            self._end(estimate.value, estimate.spread, reason=Reason.FULL_BUDGET, decision=decision)
        elif decision.stop:
            self.stop(decision)
        return decision

    def stop(self, decision: Decision) -> None:
        """End it where it is, with the estimate of that decision. Raises ValueError for one without."""
        if decision.reason is None or not math.isfinite(decision.estimate):
            raise ValueError(
                f"preset {self._engine.preset.name} stops candidate {self._curves.ids[self._index]} with "
                f"estimate {decision.estimate} and reason {decision.reason}; a stop needs both"
            )
        self._end(decision.estimate, decision.spread, reason=decision.reason, decision=decision)

    def _end(self, estimate: float, spread: float, *, reason: Reason, decision: Decision) -> None:
        known = reason is not Reason.FULL_BUDGET and decision.forecast is not None
        low, high = decision.forecast.interval_90 if known and decision.forecast else (math.nan, math.nan)
        self.result = Replayed(
            index=self._index,
            id=self._curves.ids[self._index],
            stop_epoch=float(self._epochs[self._next - 1]),
            estimate=estimate,
            spread=spread,
            low=low,
            high=high,
            reason=reason,
            num_pauses=self._num_pauses,
            num_decisions=self._next,
            version=decision.version,
        )
