"""A recording: networks about to be trained, what is known of each before, and what is observed while they train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Observation = Mapping[str, NDArray[np.float32]]
"""Key of the curve file (val_acc, val_loss, ...) to one value per network, [n]; what is not measured has no key."""

Curves = dict[str, NDArray[np.float32]]
"""Key of the curve file to the values of all networks and observations, [n, T]."""


def as_observed(curves: Curves) -> Curves:
    """For recordings whose val_acc is the accuracy itself."""
    return curves


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What a family hands over: `observations` yields `num_observations` times, and trains as it is drawn from.

    `columns` hold one number per network, [n]; `score` completes the curves, at least by val_acc in 0..100. It
    must not look ahead: the score of the first observations is the same without the later ones.
    """

    num_observations: int
    observations: Iterator[Observation]
    columns: Mapping[str, NDArray[Any]]
    score: Callable[[Curves], Curves] = as_observed
