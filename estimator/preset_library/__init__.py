"""Named presets: a forecaster, a rule and a conclusion that belong together, as their source has them."""

from estimator.preset_library.base import Preset, Training
from estimator.preset_library.lookup import preset, presets

__all__ = ["Preset", "Training", "preset", "presets"]
