"""Presets: rules of thumb that look at accuracies and forecast nothing."""

from __future__ import annotations

from estimator.checks import to_choice
from estimator.forecasters import BestSoFar
from estimator.presets.base import Preset, Training
from estimator.rules import Against, MedianStopping, Patience
from estimator.values import Source

__all__ = ["median", "patience"]


def patience(training: Training, *, patience_epochs: float = 5.0, min_delta: float = 0.0) -> Preset:
    """Stop when the best accuracy has not risen by more than `min_delta` points in `patience_epochs`."""
    return Preset(
        name="patience",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=Patience(patience_epochs=patience_epochs, min_delta=min_delta),
        conclusion=Source.BEST_OBSERVED,
    )


def median(
    training: Training, *, min_epochs: float = 1.0, min_curves: int = 5, against: str = Against.AVERAGE
) -> Preset:
    """Vizier's median stopping (KDD 2017): stop what is below the median of the others at the same epoch."""
    return Preset(
        name="median",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=MedianStopping(
            min_epochs=min_epochs, min_curves=min_curves, against=to_choice("against", against, Against)
        ),
        conclusion=Source.BEST_OBSERVED,
    )
