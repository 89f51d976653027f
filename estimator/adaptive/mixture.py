"""Mixtures: the distribution of a final score, from the errors of candidates that have come further."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from estimator.curve import Array

__all__ = ["TINY", "Mixture", "normal_expected_improvement"]

TINY = 1e-9
SQRT_2_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Distributions of m candidates: K weighted errors of candidates that have come further, about each one's mean."""

    members: NDArray[np.intp]  # [m]
    weights: Array  # [m, K]
    errors: Array  # [K]
    variances: Array  # [K]: of the final scores that these errors were measured against
    inflation: Array  # [m]: leverage
    width: Array  # [m]

    def of(self, chosen: NDArray[np.intp]) -> Mixture:
        """Those members that are among the chosen, numbered by their places there."""
        places = np.searchsorted(chosen, self.members)
        kept = chosen[np.minimum(places, len(chosen) - 1)] == self.members
        return Mixture(
            members=places[kept],
            weights=self.weights[kept],
            errors=self.errors,
            variances=self.variances,
            inflation=self.inflation[kept],
            width=self.width[kept],
        )

    def below(self, thresholds: Array, mean: Array) -> Array:
        """P(final score < threshold), [m, q]; `thresholds` [m, q] and `mean` [m] are those of the members."""
        place, spread = self._places(mean)
        distance = (thresholds[:, :, None] - place[:, None, :]) / spread[:, None, :]
        result: Array = (self.weights[:, None, :] * ndtr(distance)).sum(axis=2)
        return result

    def expected_improvement(self, incumbent: float, mean: Array) -> Array:
        """E max(final score - incumbent, 0), [m]."""
        place, spread = self._places(mean)
        result: Array = (self.weights * normal_expected_improvement(place, spread, incumbent)).sum(axis=1)
        return result

    def _places(self, mean: Array) -> tuple[Array, Array]:
        """Means and standard deviations of the mixture's parts, [m, K] each."""
        place = mean[:, None] + np.sqrt(self.inflation)[:, None] * self.errors
        spread = np.sqrt((self.variances + self.width[:, None] ** 2) * self.inflation[:, None]) + TINY
        return place, spread


def normal_expected_improvement(mean: Array, spread: Array, incumbent: float) -> Array:
    """E max(X - incumbent, 0) of normal variables; of their means alone where the spread is 0."""
    distance = (mean - incumbent) / np.maximum(spread, 1e-12)
    density = np.exp(-0.5 * np.minimum(distance**2, 1e3)) / SQRT_2_PI
    result: Array = np.where(
        spread > 0.0,
        spread * density + (mean - incumbent) * ndtr(distance),
        np.maximum(mean - incumbent, 0.0),
    )
    return result
