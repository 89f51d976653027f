"""Forecaster: several at once, for rules that are combined."""

from __future__ import annotations

from dataclasses import dataclass, replace

from estimator.curve import Curve
from estimator.forecasters.base import Forecaster
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["Joint"]


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
