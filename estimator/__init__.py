"""Learning curves -> forecasts -> decisions: when has a network in training shown how accurate it will become?

    from estimator import Engine, preset

    engine = Engine(preset("peng4nn", max_epochs=20))
    for epoch in ...:
        ...  # train, validate
        if engine.observe(epoch, val_accuracy=accuracy).stop:
            break

Three parts combine: a forecaster (curve so far -> accuracy at the full budget), a rule (curve and forecasts
-> decision), and the engine that feeds them. Methods that look at other candidates share a `History`:

    history = History()
    engine = Engine(preset("adaptive", max_epochs=20), history=history, candidate=7)

Needs NumPy, SciPy and scikit-learn only. Names are imported when they are first used: `estimator.values`, which
others build on, loads none of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estimator.curve import Curve, InvalidObservation
    from estimator.engine import Engine
    from estimator.forecasters.base import Forecaster
    from estimator.history import (
        Described,
        Ended,
        Event,
        History,
        Member,
        MirroredHistory,
        Observed,
        Resumed,
        Standing,
    )
    from estimator.population import Population
    from estimator.preset_library import Preset, Training, preset, presets
    from estimator.promotions import Promotion
    from estimator.rules.base import Forecasts, Rule, go, pause, stop
    from estimator.values import RULE_REASONS, Action, Decision, Estimate, Forecast, Reason, Source

__all__ = [
    "RULE_REASONS",
    "Action",
    "Curve",
    "Decision",
    "Described",
    "Ended",
    "Engine",
    "Estimate",
    "Event",
    "Forecast",
    "Forecaster",
    "Forecasts",
    "History",
    "InvalidObservation",
    "Member",
    "MirroredHistory",
    "Observed",
    "Population",
    "Preset",
    "Promotion",
    "Reason",
    "Resumed",
    "Rule",
    "Source",
    "Standing",
    "Training",
    "go",
    "pause",
    "preset",
    "presets",
    "stop",
]

_NAMES_BY_MODULE = {
    "curve": ("Curve", "InvalidObservation"),
    "engine": ("Engine",),
    "forecasters.base": ("Forecaster",),
    "history": (
        *("Described", "Ended", "Event", "History", "Member", "MirroredHistory", "Observed", "Resumed"),
        "Standing",
    ),
    "population": ("Population",),
    "preset_library": ("Preset", "Training", "preset", "presets"),
    "promotions": ("Promotion",),
    "rules.base": ("Forecasts", "Rule", "go", "pause", "stop"),
    "values": ("RULE_REASONS", "Action", "Decision", "Estimate", "Forecast", "Reason", "Source"),
}
_MODULES = {name: f"estimator.{module}" for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'estimator' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
