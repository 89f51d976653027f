"""Presets: the baselines that every engine is measured against."""

from __future__ import annotations

from estimator.checks import to_choice
from estimator.forecasters import BestSoFar, RankedSignal, Signal
from estimator.presets.base import Preset, Training
from estimator.rules import IEpoch, Menndl, NeverStop
from estimator.values import Source

__all__ = ["i_epoch", "menndl", "none"]


def menndl(training: Training, *, patience_epochs: float = 10.0) -> Preset:
    """MENNDL's baseline: stop when the training loss has had no new minimum for 10 epochs."""
    return Preset(
        name="menndl",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=Menndl(patience_epochs=patience_epochs),
        conclusion=Source.BEST_OBSERVED,
    )


def i_epoch(training: Training, *, epochs: float = 1.0, signal: str = Signal.BEST) -> Preset:
    """i-Epoch (Egele et al., arXiv 2404.04111): stop every candidate after the same few epochs."""
    rule = IEpoch(epochs=epochs)
    ranked_by = to_choice("signal", signal, Signal)
    if epochs > training.max_epochs:
        raise ValueError(f"epochs = {epochs} is more than max_epochs = {training.max_epochs}")
    return Preset(
        name="i-epoch",
        max_epochs=training.max_epochs,
        forecaster=BestSoFar() if ranked_by is Signal.BEST else RankedSignal(signal=ranked_by),
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
