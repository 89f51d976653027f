"""What the estimator says: forecasts, decisions, estimates, and the words they use.

Accuracies are in percent, spreads are standard deviations in points; a quantity that does not exist is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "NORMAL_90",
    "RULE_REASONS",
    "Action",
    "Decision",
    "Estimate",
    "Forecast",
    "Numbers",
    "Reason",
    "Source",
]

NORMAL_90 = 1.6448536269514722
"""Half the width of a normal distribution's central 90 %, in standard deviations."""

Numbers = tuple[tuple[str, float], ...]
"""Named figures that a decision rests on; `dict(numbers)` looks them up."""


class Action(StrEnum):
    """What to do with the candidate."""

    GO = "go"
    STOP = "stop"
    PAUSE = "pause"


class Reason(StrEnum):
    """Why the training of a candidate ended, or was paused.

    A decision has one of `RULE_REASONS`. The others are not decided here: they are the words in which programs that
    train say how a training ended, so that one enum serves both.
    """

    CONVERGED = "converged"  # its final accuracy is known well enough
    NEVER_LEARN = "never_learn"  # and it is no better than guessing
    UNLIKELY_BEST = "unlikely_best"
    RUNG = "rung"
    BUDGET = "budget"  # it has had all the epochs that the rule grants
    FULL_BUDGET = "full_budget"
    NON_FINITE = "non_finite"
    OUT_OF_MEMORY = "out_of_memory"
    BUILD = "build"  # the network, or its training, raised an error
    CRASHED = "crashed"
    HUNG = "hung"
    CANCELLED = "cancelled"


RULE_REASONS = frozenset(
    {Reason.CONVERGED, Reason.NEVER_LEARN, Reason.UNLIKELY_BEST, Reason.RUNG, Reason.BUDGET}
)
"""The reasons that a rule or a promotion may give."""


class Source(StrEnum):
    """Which measured accuracy stands for a candidate that was trained to the end."""

    BEST_OBSERVED = "best_observed"
    LAST_OBSERVED = "last_observed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The accuracy expected at the full budget, from a learning curve so far.

    `value` is what the preset forecasts, `spread` its standard deviation. `at_max_epochs` is the fitted curve
    at the full budget: the same as `value`, except where a preset forecasts the asymptote instead. `low` and
    `high` bound the forecaster's own 90 % interval of the accuracy, where it has one that is not simply
    1.645 spreads to each side. `a`, `b`, `c` are the parameters of `a - b**(c - x)`, where that was fitted,
    `num_points` the observations used, `parts` the forecasts of the members of a combination.
    """

    value: float
    spread: float
    at_max_epochs: float
    num_points: int
    low: float = math.nan
    high: float = math.nan
    a: float = math.nan
    b: float = math.nan
    c: float = math.nan
    parts: tuple[Forecast | None, ...] = ()

    @property
    def interval_90(self) -> tuple[float, float]:
        """Where the accuracy lies with a probability of 90 %, percent; NaN where the spread is not known."""
        margin = NORMAL_90 * self.spread
        low = self.value - margin if math.isnan(self.low) else self.low
        high = self.value + margin if math.isnan(self.high) else self.high
        return low, high


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Go on, stop or pause: with its reason, the estimate and its spread, and the figures behind it.

    `reason` is None and `estimate` NaN while the action is go. `forecast` is that of the latest observation,
    None where there is none. `version` is that of the history that the decision rests on: the same curve with
    the same version gives the same decision.
    """

    action: Action
    reason: Reason | None = None
    estimate: float = math.nan
    spread: float = math.nan
    forecast: Forecast | None = None
    numbers: Numbers = ()
    version: int = 0

    def __post_init__(self) -> None:
        if (self.action is Action.GO) != (self.reason is None):
            raise ValueError(f"action = {self.action} can't have reason = {self.reason}; all but go need one")
        if self.reason is not None and self.reason not in RULE_REASONS:
            raise ValueError(
                f"reason = {self.reason} is no rule's; use one of {', '.join(sorted(RULE_REASONS))}"
            )

    @property
    def stop(self) -> bool:
        """Whether to stop training this candidate."""
        return self.action is Action.STOP

    @property
    def pause(self) -> bool:
        """Whether to give the trainer to another candidate for now, and keep a checkpoint of this one."""
        return self.action is Action.PAUSE


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The accuracy of a candidate that was trained to the end: measured, so its spread is 0."""

    value: float
    spread: float
    source: Source
