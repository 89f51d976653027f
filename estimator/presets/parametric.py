"""Presets over parametric curves that are solved by our own means."""

from __future__ import annotations

from estimator.forecasters import FamilyBank, SeparableExponential
from estimator.presets.base import Preset, Training
from estimator.rules import Convergence, PredictiveTermination
from estimator.values import Source

__all__ = ["lce", "peng4nn_fast"]


def peng4nn_fast(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 3,
    loss_check: bool = False,
    loss_patience_epochs: float = 5.0,
    never_learn_margin: float = 1.0,
) -> Preset:
    """PEng4NN's rule over our own solver: global optima, no failed fits; its decisions are not all the same."""
    return Preset(
        name="peng4nn-fast",
        max_epochs=training.max_epochs,
        forecaster=SeparableExponential(
            max_epochs=training.max_epochs,
            epochs_per_interval=training.epochs_per_interval,
            min_points=min_points,
        ),
        rule=Convergence(
            window=window,
            tolerance=tolerance,
            loss_check=loss_check,
            loss_patience_epochs=loss_patience_epochs,
            never_learn=training.never_learn(never_learn_margin),
        ),
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
