"""Curve sets made by hand, and a preset that pauses, for the tests of replay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from estimator import Action, Decision, History, Population, Preset, Promotion, Reason, Source, Standing
from estimator.curve import Curve
from estimator.forecasters import BestSoFar
from estimator.population import ALONE
from estimator.rules import Rule
from estimator.rules.base import Forecasts, go, pause, stop
from hpc_nas.records.curve_set import CurveSet


def curve_set(accuracies: Sequence[Sequence[float]], **changes: Any) -> CurveSet:
    """Candidates a, b, c, ... with these accuracies at epochs 1, 2, 3, ..."""
    num_epochs = len(accuracies[0])
    fields: dict[str, Any] = {
        "name": "by hand",
        "ids": tuple("abcdefghij"[: len(accuracies)]),
        "epochs": np.arange(1.0, num_epochs + 1),
        "val_accuracy": accuracies,
        "max_epochs": float(num_epochs),
    }
    return CurveSet(**{**fields, **changes})


def random_set(num_candidates: int, *, num_epochs: int = 12, seed: int = 1) -> CurveSet:
    """Rising noisy curves with a training loss."""
    draw = np.random.default_rng(seed)
    top = draw.uniform(30.0, 95.0, size=(num_candidates, 1))
    epochs = np.arange(1.0, num_epochs + 1)
    rising = top * (1.0 - np.exp(-epochs / draw.uniform(1.0, 6.0, size=(num_candidates, 1))))
    accuracy = np.clip(rising + draw.normal(0.0, 1.0, rising.shape), 1.0, 100.0)
    return CurveSet(
        name="random",
        ids=tuple(f"net{number}" for number in range(num_candidates)),
        epochs=epochs,
        val_accuracy=accuracy,
        train_loss=3.0 - accuracy / 50.0,
        max_epochs=float(num_epochs),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseAt(Rule):
    """Pauses at one epoch; later stops what is not the best of all at the same epoch or beyond."""

    epoch: float
    alone: ClassVar[bool] = False

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        forecast = forecasts[-1]
        assert forecast is not None
        if curve.last_epoch == self.epoch:
            return pause(forecast, reason=Reason.RUNG)
        if curve.last_epoch > self.epoch and any(
            other.curve.best_accuracy > curve.best_accuracy for other in population.others
        ):
            return stop(forecast, reason=Reason.UNLIKELY_BEST)
        return go(forecast)


@dataclass(frozen=True, slots=True)
class PromoteBest(Promotion):
    """Once nothing new is left, the best paused candidate goes on, until one has finished."""

    def promote(self, history: History, *, num_new: int) -> int | None:
        paused = history.those(Standing.PAUSED)
        if num_new or history.count(Standing.FINISHED) or not paused:
            return None
        return max(paused, key=lambda member: member.curve.best_accuracy).candidate

    def settle(self, history: History) -> Mapping[int, Decision]:
        return {
            member.candidate: Decision(
                action=Action.STOP,
                reason=Reason.RUNG,
                estimate=member.curve.best_accuracy,
                spread=math.nan,
            )
            for member in history.those(Standing.PAUSED)
        }


def pausing_preset(
    *, epoch: float = 2.0, max_epochs: float = 4.0, promotion: Promotion | None = None
) -> Preset:
    return Preset(
        name="pausing",
        max_epochs=max_epochs,
        forecaster=BestSoFar(),
        rule=PauseAt(epoch=epoch),
        conclusion=Source.BEST_OBSERVED,
        promotion=promotion or PromoteBest(),
    )
