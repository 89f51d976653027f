"""What a further level of training is worth: the uncertainty that it is expected to take away, per epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from estimator.adaptive.field import Field
from estimator.adaptive.mixture import normal_excess
from estimator.adaptive.posterior import Posterior
from estimator.adaptive.selection import Selection
from estimator.forecasters.learned.curve_matrix import Array

__all__ = ["worth_for_best", "worth_for_selection"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

LEAST_SHRINKAGE = 0.98
"""A further level takes away at least 2 % of the spread."""
WINNER_WEIGHT = 3.0
"""The best candidate counts as much as three places in the selection (ESTIMATORS.md, section 5)."""
FLOOR_SHARE = 0.01
"""So much of the plain errors is added, so that nobody undecided is worth nothing."""


def worth_for_selection(field: Field, posterior: Posterior, selection: Selection, epochs: Array) -> Array:
    """Errors of selection that one candidate's training to its best later level would take away, per epoch, [n].

    -1 for those that have finished. `epochs` [J] are the levels'.
    """
    distance = posterior.mean - selection.thresholds[:, None]
    safe = np.maximum(posterior.spread, 1e-12)
    now = np.where(posterior.spread > 0.0, ndtr(-np.abs(distance) / safe), 0.0)
    plain = selection.errors.sum(axis=0) + WINNER_WEIGHT * selection.winning
    result = np.full(len(field), -1.0)
    for level in range(field.num_levels - 1):
        at = np.flatnonzero(field.level == level)
        if not len(at):
            continue
        kept = _kept(posterior, level)
        spread = posterior.spread[at, None] * kept  # [m, L]: after training to each later level
        shift = np.sqrt(np.maximum(posterior.spread[at, None] ** 2 - spread**2, 0.0))
        places = distance[:, at, None, None] + shift[:, :, None] * _NODES
        after = ndtr(-np.abs(places) / np.maximum(spread, 1e-9)[:, :, None]) @ _WEIGHTS  # [3, m, L]
        taken = np.maximum(now[:, at, None] - after, 0.0).sum(axis=0) / (epochs[level + 1 :] - epochs[level])
        result[at] = taken.max(axis=1) + FLOOR_SHARE * plain[at] / (epochs[level + 1] - epochs[level])
    return result


def worth_for_best(field: Field, posterior: Posterior, epochs: Array, *, bar: float) -> Array:
    """How far a candidate is expected to surpass the best known, `bar`, per epoch of training on, [n].

    The knowledge gradient over the candidate's later levels; -1 for those that have finished.
    """
    expected = posterior.excess(bar)
    result = np.full(len(field), -1.0)
    for level in range(field.num_levels - 1):
        at = np.flatnonzero(field.level == level)
        if not len(at):
            continue
        moved = posterior.spread[at, None] * np.sqrt(1.0 - _kept(posterior, level) ** 2)
        gained = normal_excess(posterior.mean[at, None], moved, bar)
        gained[:, -1] = expected[at]
        result[at] = (gained / (epochs[level + 1 :] - epochs[level])).max(axis=1)
    return result


def _kept(posterior: Posterior, level: int) -> NDArray[np.float64]:
    """The share of the spread that is left after training from one level to each later one, [J - 1 - level]."""
    kept = np.minimum(posterior.pooled[level + 1 :] / max(posterior.pooled[level], 1e-9), LEAST_SHRINKAGE)
    kept[-1] = 0.0
    return np.asarray(kept)
