"""Long curves as fewer points, for what needs a curve's shape and not its every value."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "averaged"]

Array: TypeAlias = NDArray[np.float64]


def averaged(x: Array, accuracies: Array, *, limit: int) -> tuple[Array, Array]:
    """Neighbours averaged, so that at most `limit` remain of x [T] and of accuracies [n, T]."""
    group = -(-len(x) // limit)
    if group == 1:
        return x, accuracies
    starts = np.arange(0, len(x), group)
    sizes = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / sizes, np.add.reduceat(accuracies, starts, axis=1) / sizes
