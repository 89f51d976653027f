"""Ridge regression in closed form, with leave-one-out residuals and a spread that is local."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from estimator.curve import Array

__all__ = ["Ridge"]

CLIP = 4.0
"""Standardised features are clipped to this many standard deviations."""

FLAT = 1e-9
"""A feature with a smaller standard deviation says nothing."""

BANDWIDTH = 0.3
"""Width of the kernel that averages residuals, in standard deviations of the forecasts."""

EVERYWHERE = 0.02
"""Weight of a residual from far away: where none is near, the spread is that of all."""

NORMAL_OVER_ABSOLUTE = 1.2533141373155003
"""A normal distribution's standard deviation, in mean absolute deviations."""

FEWEST_DEGREES = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ridge:
    """A fitted regression of y on k features, ready to forecast one candidate.

    Spreads rest on leave-one-out (PRESS) residuals, averaged by a kernel over `places` (anything that goes with
    how large errors are; here the forecast itself), and grow with the leverage of the candidate.
    """

    centre: Array  # [k]
    scale: Array  # [k]; infinite where a feature is constant
    offset: Array  # [k]: means of the clipped features
    mean: float
    slopes: Array  # [k]
    inverse: Array  # [k, k]
    residuals: Array  # [n], absolute, leave-one-out
    places: Array  # [n]
    bandwidth: float
    mean_leverage: float
    degrees: float

    @classmethod
    def fit(cls, features: Array, y: Array, *, penalty: float, start: Array) -> Ridge:
        """Least squares with `penalty` on the squared slopes of the standardised `features`, [n, k]; n >= 2.

        `start` [n] is added to a forecast to give its place.
        """
        centre, deviation = features.mean(axis=0), features.std(axis=0)
        scale = np.where(deviation > FLAT, deviation, np.inf)
        clipped = np.clip((features - centre) / scale, -CLIP, CLIP)
        offset = clipped.mean(axis=0)
        left, singular, right = np.linalg.svd(clipped - offset, full_matrices=False)
        squares = singular**2
        shrunk = squares / (squares + penalty)
        mean = float(y.mean())
        projected = left.T @ (y - mean)
        leverage = 1.0 / len(y) + (left**2) @ shrunk
        residuals = (y - mean - left @ (shrunk * projected)) / (1.0 - leverage)
        places = start + y - residuals
        return cls(
            centre=centre,
            scale=scale,
            offset=offset,
            mean=mean,
            slopes=right.T @ (singular / (squares + penalty) * projected),
            inverse=(right.T / (squares + penalty)) @ right,
            residuals=np.abs(residuals),
            places=places,
            bandwidth=BANDWIDTH * float(places.std()) + FLAT,
            mean_leverage=float(leverage.mean()),
            degrees=max(FEWEST_DEGREES, len(y) - 1.0 - float(shrunk.sum())),
        )

    def forecast(self, features: Array, *, start: float) -> tuple[float, float]:
        """y of one candidate with these features, [k], and its standard deviation."""
        clipped = np.clip((features - self.centre) / self.scale, -CLIP, CLIP) - self.offset
        y = self.mean + float(clipped @ self.slopes)
        leverage = 1.0 / len(self.residuals) + float(clipped @ self.inverse @ clipped)
        distances = (self.places - (start + y)) / self.bandwidth
        weights = np.exp(-0.5 * distances**2) + EVERYWHERE
        deviation = NORMAL_OVER_ABSOLUTE * float(weights @ self.residuals) / float(weights.sum())
        return y, deviation * float(np.sqrt((1.0 + leverage) / (1.0 + self.mean_leverage)))

    @property
    def margin_90(self) -> float:
        """Half the width of a 90 % interval in standard deviations: Student's t, as the residuals are few."""
        return float(stdtrit(self.degrees, 0.95))
