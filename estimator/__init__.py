"""Learning curves -> forecasts -> decisions: when has a network in training shown what it is worth?

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

Needs NumPy, SciPy and scikit-learn only.
"""

from estimator.curve import Curve, InvalidObservation
from estimator.engine import Engine
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
from estimator.presets import Preset, preset, presets
from estimator.promotions import Promotion
from estimator.values import Action, Decision, Estimate, Forecast, Reason, Source

__all__ = [
    "Action",
    "Curve",
    "Decision",
    "Described",
    "Ended",
    "Engine",
    "Estimate",
    "Event",
    "Forecast",
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
    "Source",
    "Standing",
    "preset",
    "presets",
]
