"""The knowledge gradient: what further training of a candidate is expected to tell, per epoch of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from estimator.adaptive.features import PopulationFeatures
from estimator.adaptive.mixture import normal_expected_improvement
from estimator.adaptive.population_posterior import Selection
from estimator.adaptive.posterior import Posterior
from estimator.curve import Array

__all__ = ["gradient_for_best", "gradient_for_selection"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

LEAST_SHRINKAGE = 0.98
"""A further level removes at least 2 % of the spread."""
WINNER_WEIGHT = 3.0
"""The best candidate counts as much as three places in the selection (docs/science.md, "Pause and resume")."""
FLOOR_SHARE = 0.01
"""This share of the plain errors is added, so that no undecided candidate has a gradient of 0."""


def gradient_for_selection(
    features: PopulationFeatures, posterior: Posterior, selection: Selection, epochs: Array
) -> Array:
    """Errors of selection that training a candidate to a later level would remove, per epoch, [n]; of its best level.

    -1 for those that have finished. `epochs` [J] are the levels'.
    """
    distance = posterior.mean - selection.thresholds[:, None]
    safe = np.maximum(posterior.spread, 1e-12)
    now = np.where(posterior.spread > 0.0, ndtr(-np.abs(distance) / safe), 0.0)
    plain = selection.errors.sum(axis=0) + WINNER_WEIGHT * selection.winning
    result = np.full(len(features), -1.0)
    for level in range(features.num_levels - 1):
        at = np.flatnonzero(features.level == level)
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


def gradient_for_best(
    features: PopulationFeatures, posterior: Posterior, epochs: Array, *, incumbent: float
) -> Array:
    """How far a candidate is expected to surpass the best known score, `incumbent`, per epoch, [n]; of its best
    later level. -1 for those that have finished.
    """
    expected = posterior.expected_improvement(incumbent)
    result = np.full(len(features), -1.0)
    for level in range(features.num_levels - 1):
        at = np.flatnonzero(features.level == level)
        if not len(at):
            continue
        moved = posterior.spread[at, None] * np.sqrt(1.0 - _kept(posterior, level) ** 2)
        gained = normal_expected_improvement(posterior.mean[at, None], moved, incumbent)
        gained[:, -1] = expected[at]
        result[at] = (gained / (epochs[level + 1 :] - epochs[level])).max(axis=1)
    return result


def _kept(posterior: Posterior, level: int) -> NDArray[np.float64]:
    """The share of the spread that is left after training from one level to each later one, [J - 1 - level]."""
    kept = np.minimum(posterior.pooled[level + 1 :] / max(posterior.pooled[level], 1e-9), LEAST_SHRINKAGE)
    kept[-1] = 0.0
    return np.asarray(kept)
