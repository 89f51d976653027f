"""What every rule does, and the decisions it can return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from estimator.curve import Curve
from estimator.population import ALONE, Population
from estimator.values import Action, Decision, Forecast, Numbers, Reason

__all__ = ["Forecasts", "Rule", "go", "pause", "stop"]

Forecasts = Sequence[Forecast | None]
"""The forecast made at each observation of a curve, in order; None where there was none."""


class Rule(ABC):
    """From a curve, its forecasts and the others to a decision.

    Keeps no state: the same values, the same decision.
    """

    __slots__ = ()

    @property
    def alone(self) -> bool:
        """Whether a decision rests on the candidate's own curve and forecasts alone.

        One that looks at the others sets `alone: ClassVar[bool] = False`.
        """
        return True

    @abstractmethod
    def decide(self, curve: Curve, forecasts: Forecasts, population: Population = ALONE) -> Decision:
        """The decision at the latest observation; `curve` and `forecasts` have the same length, at least 1."""


def go(forecast: Forecast | None, *, numbers: Numbers = ()) -> Decision:
    """The decision to train on."""
    return Decision(action=Action.GO, forecast=forecast, numbers=numbers)


def pause(forecast: Forecast, *, reason: Reason, numbers: Numbers = ()) -> Decision:
    """The decision to give the trainer to another, for now; the forecast is the estimate so far."""
    return Decision(
        action=Action.PAUSE,
        reason=reason,
        estimate=forecast.value,
        spread=forecast.spread,
        forecast=forecast,
        numbers=numbers,
    )


def stop(forecast: Forecast, *, reason: Reason, numbers: Numbers = ()) -> Decision:
    """The decision to stop, with the forecast as the estimate."""
    return Decision(
        action=Action.STOP,
        reason=reason,
        estimate=forecast.value,
        spread=forecast.spread,
        forecast=forecast,
        numbers=numbers,
    )
