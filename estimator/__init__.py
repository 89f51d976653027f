"""Learning curves -> forecasts -> decisions: when has a network in training shown what it is worth?

    from estimator import Engine, preset

    engine = Engine(preset("peng4nn", max_epochs=20))
    for epoch in ...:
        ...  # train, validate
        if engine.observe(epoch, val_accuracy=accuracy).stop:
            break

Three parts combine: a forecaster (curve so far -> accuracy at the full budget), a rule (curve and forecasts
-> decision), and the engine that feeds them. Needs NumPy and SciPy only.
"""

from estimator.curve import Curve, InvalidObservation
from estimator.engine import Engine
from estimator.presets import Preset, preset, presets
from estimator.values import Action, Decision, Estimate, Forecast, Reason, Source

__all__ = [
    "Action",
    "Curve",
    "Decision",
    "Engine",
    "Estimate",
    "Forecast",
    "InvalidObservation",
    "Preset",
    "Reason",
    "Source",
    "preset",
    "presets",
]
