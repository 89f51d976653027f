"""Named presets: a forecaster, a rule and a conclusion that belong together, as their source has them."""

from estimator.presets.base import Preset
from estimator.presets.lookup import preset, presets

__all__ = ["Preset", "preset", "presets"]
