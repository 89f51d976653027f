"""Presets: stop what is unlikely to be the best, or among the best."""

from __future__ import annotations

from enum import StrEnum

from estimator.checks import to_choice
from estimator.forecasters import BayesianNetwork, FamilyBank, Forecaster, RemainingGain, SequentialRegression
from estimator.forecasters.learned.regressors import Regression
from estimator.preset_library.base import Preset, Training
from estimator.rules import PredictiveTermination, UnlikelyBest, UnlikelyTop
from estimator.values import Source

__all__ = ["baker", "lce", "prob_top"]


def baker(
    training: Training,
    *,
    certainty: float = 0.95,
    margin: float = 0.0,
    rank: int = 1,
    burn_in: int = 20,
    model: str = Regression.NUSVR_RBF,
) -> Preset:
    """Baker et al. (arXiv 1705.10823): stop what is unlikely to beat the best, by regression on finished curves."""
    rule = UnlikelyBest(certainty=certainty, margin=margin, rank=rank, burn_in=burn_in)
    return Preset(
        name="baker",
        max_epochs=training.max_epochs,
        forecaster=SequentialRegression(
            regression=to_choice("model", model, Regression), min_finished=max(4, burn_in)
        ),
        rule=rule,
        conclusion=Source.BEST_OBSERVED,
    )


def lce(training: Training, *, delta: float = 0.05, min_points: int = 3) -> Preset:
    """Learning curve extrapolation (Domhan et al., IJCAI 2015): stop what will hardly beat the best so far."""
    return Preset(
        name="lce",
        max_epochs=training.max_epochs,
        forecaster=FamilyBank(max_epochs=training.max_epochs, min_points=min_points),
        rule=PredictiveTermination(max_epochs=training.max_epochs, probability=delta),
        conclusion=Source.BEST_OBSERVED,
    )


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
