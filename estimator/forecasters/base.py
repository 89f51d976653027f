"""What every forecaster does."""

from __future__ import annotations

from abc import ABC, abstractmethod

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["Forecaster"]


class Forecaster(ABC):
    """From a learning curve so far to the accuracy expected at the full budget."""

    __slots__ = ()

    @property
    def alone(self) -> bool:
        """Whether a forecast rests on the candidate's own curve alone, whatever the population.

        Who looks at the others sets `alone: ClassVar[bool] = False`.
        """
        return True

    @abstractmethod
    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        """The forecast from all of `curve`, or None where it allows none (too short, or a failed fit).

        `population` is what is known of other candidates, for those that learn from it. The same values give
        the same forecast.
        """
