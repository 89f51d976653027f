"""How long ago a loss had its last minimum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["epochs_since_minimum"]


def epochs_since_minimum(epochs: NDArray[np.float64], losses: NDArray[np.float64]) -> float:
    """Epochs from the lowest finite loss (the first, if it came again) to the latest observation.

    NaN where the latest loss is not finite: then nothing is known about it, and comparisons with NaN refuse.
    """
    if not math.isfinite(losses[-1]):
        return math.nan
    lowest = int(np.argmin(np.where(np.isfinite(losses), losses, math.inf)))
    return float(epochs[-1] - epochs[lowest])
