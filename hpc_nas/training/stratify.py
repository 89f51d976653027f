"""Random subsets in which every class keeps its share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_subset(
    labels: NDArray[np.int64], count: int, *, random: np.random.Generator
) -> NDArray[np.int64]:
    """Sorted indices of `count` samples, drawn so that each class has its share of them, within one sample.

    Each class is put in random order and spread evenly over (0, 1); the `count` smallest places are taken.
    """
    order = random.permutation(len(labels))
    shuffled = labels[order]
    place = np.empty(len(labels))
    for label in np.unique(shuffled):
        members = np.flatnonzero(shuffled == label)
        place[members] = (np.arange(len(members)) + random.random()) / len(members)
    chosen = order[np.argsort(place, kind="stable")[:count]]
    return np.sort(chosen)
