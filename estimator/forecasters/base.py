"""What every forecaster does."""

from __future__ import annotations

from abc import ABC, abstractmethod

from estimator.curve import Curve
from estimator.values import Forecast

__all__ = ["Forecaster"]


class Forecaster(ABC):
    """From a learning curve so far to the accuracy expected at the full budget."""

    __slots__ = ()

    @abstractmethod
    def forecast(self, curve: Curve) -> Forecast | None:
        """The forecast from all of `curve`, or None where it allows none (too short, or a failed fit)."""
