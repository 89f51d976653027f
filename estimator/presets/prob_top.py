"""Preset: train on only what may end among the best."""

from __future__ import annotations

from enum import StrEnum

from estimator.checks import to_choice
from estimator.forecasters import BayesianNetwork, Forecaster, RemainingGain, SequentialRegression
from estimator.presets.base import Preset, Training
from estimator.rules import UnlikelyTop
from estimator.values import Source

__all__ = ["prob_top"]


class Learned(StrEnum):
    """Forecasters that learn from finished curves, by the names that `forecaster` may have."""

    REMAINING_GAIN = "remaining-gain"
    BAYESIAN_NETWORK = "bayesian-network"
    SRM = "srm"


def prob_top(
    training: Training,
    *,
    top: float = 0.25,
    probability: float = 0.1,
    min_finished: int = 12,
    forecaster: str = "remaining-gain",
) -> Preset:
    """Stop at checkpoints what is unlikely to end among the best quarter, learning from the finished curves."""
    learned = _forecaster(to_choice("forecaster", forecaster, Learned), min_finished)
    return Preset(
        name="prob-top",
        max_epochs=training.max_epochs,
        forecaster=learned,
        rule=UnlikelyTop(
            max_epochs=training.max_epochs,
            top=top,
            probability=probability,
            min_finished=min_finished,
            forecaster=learned,
        ),
        conclusion=Source.BEST_OBSERVED,
    )


def _forecaster(name: Learned, min_finished: int) -> Forecaster:
    if name is Learned.BAYESIAN_NETWORK:
        return BayesianNetwork(min_finished=min_finished)
    if name is Learned.SRM:
        return SequentialRegression(min_finished=min_finished)
    return RemainingGain(min_finished=min_finished)
