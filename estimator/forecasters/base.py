"""What every forecaster does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["Forecaster"]


class Forecaster(ABC):
    """From a learning curve so far to the accuracy expected at the full budget.

    `alone` says that a forecast rests on the candidate's own curve alone, whatever the population.
    """

    __slots__ = ()
    alone: ClassVar[bool] = True

    @abstractmethod
    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        """The forecast from all of `curve`, or None where it allows none (too short, or a failed fit).

        `population` is what is known of other candidates, for those that learn from it. The same values give
        the same forecast.
        """
