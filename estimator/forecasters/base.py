"""What every forecaster does, those that forecast what was observed, and several together."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["BestSoFar", "Forecaster", "Joint", "LastValue"]


class Forecaster(ABC):
    """From a learning curve so far to the accuracy expected at the full budget."""

    __slots__ = ()

    @property
    def alone(self) -> bool:
        """Whether a forecast rests on the candidate's own curve alone, whatever the population.

        One that looks at the others sets `alone: ClassVar[bool] = False`.
        """
        return True

    @abstractmethod
    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        """The forecast from all of `curve`, or None where it allows none (too short, or a failed fit).

        `population` is what is known of other candidates, for those that learn from it. The same values give
        the same forecast.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class BestSoFar(Forecaster):
    """The highest validation accuracy so far; its spread is not known."""

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        best = curve.best_accuracy
        return Forecast(value=best, spread=math.nan, at_max_epochs=best, num_points=len(curve))


@dataclass(frozen=True, kw_only=True, slots=True)
class LastValue(Forecaster):
    """The latest validation accuracy; its spread is not known."""

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        last = curve.last_accuracy
        return Forecast(value=last, spread=math.nan, at_max_epochs=last, num_points=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Joint(Forecaster):
    """Every member's forecast, in `parts`; the whole is that of the first member that has one.

    There is none where no member has one.
    """

    members: tuple[Forecaster, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("members = () must be one forecaster or more")

    @property
    def alone(self) -> bool:
        return all(member.alone for member in self.members)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        parts = tuple(member.forecast(curve, population) for member in self.members)
        first = next((part for part in parts if part is not None), None)
        return None if first is None else replace(first, parts=parts)
