"""The selection: who belongs to the best 10, 20 and 30 % by forecast, and how likely each is there wrongly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from estimator.adaptive.posterior import Posterior
from estimator.forecasters.learned.curve_matrix import Array

__all__ = ["SHARES", "Selection", "select"]

SHARES = (0.1, 0.2, 0.3)
"""The best so many of all: what PEng4NN's tables compare, and what evolution keeps."""

SLACK = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """For each of the 3 shares and n candidates of a posterior.

    `thresholds` [3]: the score between the last that is in and the first that is out. `errors` [3, n]: the
    probability that a candidate is on the wrong side. `overlaps` [3]: the overlap with the truth to be expected,
    0..1. `winning` [n]: the probability that a candidate that is not finished ends above `top`, the best forecast.
    """

    thresholds: Array
    top: float
    errors: Array
    overlaps: Array
    winning: Array


def select(posterior: Posterior) -> Selection:
    """The selection that the means give; raises ValueError if there is nobody to select from."""
    number = len(posterior.mean)
    if not number:
        raise ValueError("nobody to select from: no candidate has come to the first level")
    order = np.sort(posterior.mean)[::-1]
    sizes = [max(1, math.ceil(number * share - SLACK)) for share in SHARES]
    thresholds = np.array([(order[size - 1] + order[min(size, number - 1)]) / 2.0 for size in sizes])
    below = posterior.below(np.append(thresholds, order[0])).T
    open_ones = posterior.spread > 0.0
    errors = np.where(posterior.mean >= thresholds[:, None], below[:-1], 1.0 - below[:-1]) * open_ones
    return Selection(
        thresholds=thresholds,
        top=float(order[0]),
        errors=errors,
        overlaps=1.0 - errors.sum(axis=1) / (2.0 * np.array(sizes)),
        winning=np.where(open_ones, 1.0 - below[-1], 0.0),
    )
