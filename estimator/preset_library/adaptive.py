"""Presets: `adaptive`, which looks at the whole population, in three settings."""

from __future__ import annotations

from estimator.adaptive.levels import Levels
from estimator.adaptive.promotions import PromoteContenders, PromoteUndecided
from estimator.adaptive.rules import LevelForecaster, PauseAtLevels, StopOnceDecided
from estimator.preset_library.base import Preset, Training
from estimator.promotions import Promotion
from estimator.values import Source

__all__ = ["adaptive", "adaptive_fast", "adaptive_steady"]


def adaptive(
    training: Training, *, enough_overlap: float = 0.9, tolerance: float = 0.05, num_finalists: int = 5
) -> Preset:
    """Keep the best 10 to 30 %: train on where the ranking is undecided, pause everywhere else."""
    levels = _levels(training)
    promotion = PromoteUndecided(
        levels=levels, enough_overlap=enough_overlap, tolerance=tolerance, num_finalists=num_finalists
    )
    return _pausing("adaptive", training, levels, promotion)


def adaptive_fast(training: Training, *, tolerance: float = 0.2, num_finalists: int = 5) -> Preset:
    """Find one best network: train on what may still surpass the best, pause everything else."""
    levels = _levels(training)
    promotion = PromoteContenders(levels=levels, tolerance=tolerance, num_finalists=num_finalists)
    return _pausing("adaptive-fast", training, levels, promotion)


def adaptive_steady(training: Training, *, max_error: float = 0.1) -> Preset:
    """Keep the best 10 to 30 % without ever pausing: stop once a candidate's place is decided."""
    levels = _levels(training)
    return Preset(
        name="adaptive-steady",
        max_epochs=training.max_epochs,
        forecaster=LevelForecaster(levels=levels),
        rule=StopOnceDecided(levels=levels, max_error=max_error),
        conclusion=Source.BEST_OBSERVED,
    )


def _pausing(name: str, training: Training, levels: Levels, promotion: Promotion) -> Preset:
    return Preset(
        name=name,
        max_epochs=training.max_epochs,
        forecaster=LevelForecaster(levels=levels),
        rule=PauseAtLevels(levels=levels),
        conclusion=Source.BEST_OBSERVED,
        promotion=promotion,
    )


def _levels(training: Training) -> Levels:
    return Levels(max_epochs=training.max_epochs, epochs_per_interval=training.epochs_per_interval)
