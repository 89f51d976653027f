"""Presets: the baselines that every engine is measured against, and rules of thumb; none of them extrapolates."""

from __future__ import annotations

from estimator.checks import to_choice
from estimator.forecasters import BestSoFar, RankedSignal, RankingSignal
from estimator.preset_library.base import Preset, Training
from estimator.rules import Against, IEpoch, MedianStopping, Menndl, NeverStop, Patience
from estimator.values import Source

__all__ = ["i_epoch", "median", "menndl", "none", "patience"]


def menndl(training: Training, *, patience_epochs: float = 10.0) -> Preset:
    """MENNDL's baseline: stop when the training loss has had no new minimum for 10 epochs."""
    return Preset(
        name="menndl",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=Menndl(patience_epochs=patience_epochs),
        conclusion=Source.BEST_OBSERVED,
    )


def i_epoch(training: Training, *, epochs: float = 1.0, signal: str = RankingSignal.BEST) -> Preset:
    """i-Epoch (Egele et al., arXiv 2404.04111): stop every candidate after the same few epochs."""
    rule = IEpoch(epochs=epochs)
    ranked_by = to_choice("signal", signal, RankingSignal)
    if epochs > training.max_epochs:
        raise ValueError(f"epochs = {epochs} is more than max_epochs = {training.max_epochs}")
    return Preset(
        name="i-epoch",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar() if ranked_by is RankingSignal.BEST else RankedSignal(signal=ranked_by),
        rule=rule,
        conclusion=Source.BEST_OBSERVED,
    )


def none(training: Training) -> Preset:
    """Train every candidate to the end."""
    return Preset(
        name="none",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=NeverStop(),
        conclusion=Source.BEST_OBSERVED,
    )


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
