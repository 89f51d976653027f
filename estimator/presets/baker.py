"""Preset: early stopping by sequential regression (Baker et al., arXiv 1705.10823)."""

from __future__ import annotations

from estimator.checks import to_choice
from estimator.forecasters.learned.regressors import Regression
from estimator.forecasters.learned.sequential_regression import SequentialRegression
from estimator.presets.base import Preset, Training
from estimator.rules import UnlikelyBest
from estimator.values import Source

__all__ = ["baker"]


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
