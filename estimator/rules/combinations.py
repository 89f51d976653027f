"""Rules made of rules: any of them, all of them, or one after a number of epochs.

The members of `AnyOf` and `AllOf` have a forecaster each: member k reads part k of what `Joint` forecasts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from estimator.checks import require_positive
from estimator.curve import SLACK, Curve
from estimator.population import ALONE, Population
from estimator.rules.base import Forecasts, Rule, go
from estimator.values import Decision, Forecast

__all__ = ["After", "AllOf", "AnyOf"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Several(Rule):
    members: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("members = () must be one rule or more")

    @property
    def alone(self) -> bool:
        return all(member.alone for member in self.members)

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        decisions = [
            member.decide(curve, _Part(forecasts, index, num_members=len(self.members)), population)
            for index, member in enumerate(self.members)
        ]
        index = self._decisive([decision.stop for decision in decisions])
        if index is None:
            return go(forecasts[-1])
        chosen, joint = decisions[index], forecasts[-1]
        forecast = joint
        if chosen.forecast is not None and joint is not None:
            forecast = replace(chosen.forecast, parts=joint.parts)
        return replace(chosen, forecast=forecast, numbers=(*chosen.numbers, ("member", float(index))))

    @abstractmethod
    def _decisive(self, stops: list[bool]) -> int | None:
        """The member whose decision to stop is that of all; None: go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf(_Several):
    """Stop as the first member says that says so."""

    def _decisive(self, stops: list[bool]) -> int | None:
        return stops.index(True) if any(stops) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class AllOf(_Several):
    """Stop, for the first member's reason and with its estimate, when all say so at the same observation."""

    def _decisive(self, stops: list[bool]) -> int | None:
        return 0 if all(stops) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class After(Rule):
    """As `member`, but not before `epochs`."""

    epochs: float
    member: Rule

    def __post_init__(self) -> None:
        require_positive("epochs", self.epochs)

    @property
    def alone(self) -> bool:
        return self.member.alone

    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        if curve.last_epoch < self.epochs - SLACK:
            return go(forecasts[-1])
        return self.member.decide(curve, forecasts, population)


class _Part(Sequence[Forecast | None]):
    """One member's forecasts: a view, since a copy at each observation would cost the whole curve."""

    def __init__(self, joint: Forecasts, index: int, *, num_members: int) -> None:
        latest = joint[-1]
        if latest is not None and len(latest.parts) != num_members:
            raise ValueError(
                f"a forecast has {len(latest.parts)} parts for {num_members} members; "
                "give this rule the forecaster Joint, with one member for each of its own"
            )
        self._joint = joint
        self._index = index

    def __len__(self) -> int:
        return len(self._joint)

    @overload
    def __getitem__(self, position: int) -> Forecast | None: ...
    @overload
    def __getitem__(self, position: slice) -> list[Forecast | None]: ...
    def __getitem__(self, position: int | slice) -> Forecast | list[Forecast | None] | None:
        if isinstance(position, slice):
            return [self._of(forecast) for forecast in self._joint[position]]
        return self._of(self._joint[position])

    def _of(self, joint: Forecast | None) -> Forecast | None:
        return None if joint is None else joint.parts[self._index]
