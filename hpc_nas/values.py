"""The values that cross from room to room: candidate, observation, outcome.

All are frozen, keyword-only and validated on construction. The words are those of the design:
a *candidate* is one architecture under evaluation, an *attempt* one execution of it. `Reason` is the estimator's:
its decisions and the outcomes here give their reasons in one enum.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from estimator.values import RULE_REASONS, Reason

__all__ = ["FINAL_STATES", "REASONS", "Candidate", "Observation", "Outcome", "Reason", "State"]


class State(StrEnum):
    """Where a candidate stands. Happy path: queued -> running (-> paused -> running) -> finished or stopped."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = (
        "paused"  # set aside by a rule, with a checkpoint; resumed later, or stopped when the search is over
    )
    FINISHED = "finished"  # trained to the full budget
    STOPPED = "stopped"  # ended early, on purpose, by a rule
    FAILED = "failed"  # the network or its rank failed
    CANCELLED = "cancelled"  # the campaign ended first


FINAL_STATES = frozenset({State.FINISHED, State.STOPPED, State.FAILED, State.CANCELLED})

REASONS: dict[State, frozenset[Reason]] = {
    State.FINISHED: frozenset({Reason.FULL_BUDGET}),
    State.STOPPED: RULE_REASONS,
    State.PAUSED: RULE_REASONS,
    State.FAILED: frozenset(
        {Reason.NON_FINITE, Reason.OUT_OF_MEMORY, Reason.BUILD, Reason.CRASHED, Reason.HUNG}
    ),
    State.CANCELLED: frozenset({Reason.CANCELLED}),
}
"""The reasons that the end of an attempt allows: the final states, and paused."""

Percent = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")


class Candidate(_Value):
    """One architecture under evaluation, as a search strategy drew it from a search space."""

    number: int = Field(ge=0, lt=1 << 62, description="position in the campaign, from 0")
    seed: int = Field(
        ge=0, lt=1 << 64, description="seeds weights, shuffling and augmentation of its training"
    )
    parameters: dict[str, bool | int | float | str] = Field(
        description="what the space drew, by Optuna parameter name; the same values rebuild the network"
    )
    num_parameters: int = Field(ge=0, lt=1 << 63, description="trainable weights")
    num_layers: int = Field(ge=0, lt=1 << 31, description="layers with weights")
    macs: int = Field(ge=0, lt=1 << 63, description="multiply-adds of one forward pass of one sample")
    redraws: int = Field(
        ge=0, lt=1 << 31, default=0, description="draws rejected before it, for whatever reason"
    )
    beyond_limits: int = Field(
        ge=0, lt=1 << 31, default=0, description="of these: networks beyond the [constraints]"
    )


class Observation(_Value):
    """One row of a learning curve: what a trainer knows after one validation.

    Accuracies are in percent, losses are means per sample, times in seconds, `time_s` in seconds since the
    Unix epoch. A quantity that was not measured is NaN. `carried` rows were measured in an earlier attempt and came
    with the checkpoint from which this attempt goes on: each attempt's rows are a whole curve. A number below 0
    is that of a foreign program's candidate (`records.ownership`).
    """

    candidate: int
    attempt: int = Field(ge=0)
    epoch: float = Field(gt=0.0)
    val_accuracy: float
    val_loss: float
    train_accuracy: float
    train_loss: float
    learning_rate: float
    train_s: NonNegative
    validate_s: NonNegative
    time_s: NonNegative
    carried: bool = False


class Outcome(_Value):
    """How one attempt of a candidate ended, and what the search strategy is told.

    `estimate` is the accuracy (percent) that the candidate is taken to reach at the full budget: the
    forecast that a decision rests on, or the best accuracy seen where training went to the end; None
    where nothing is known (failed, cancelled). `spread` is its standard deviation in points: 0 for a
    measured value, None where unknown.
    """

    candidate: int = Field(ge=0, lt=1 << 62)
    attempt: int = Field(ge=0, lt=1 << 31)
    state: State
    reason: Reason
    estimate: Annotated[float, Field(allow_inf_nan=False)] | None = None
    spread: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    best_accuracy: Percent | None = Field(default=None, description="best validation accuracy seen, percent")
    epochs: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    message: str = ""

    @model_validator(mode="after")
    def _reason_fits_state(self) -> Outcome:
        if self.state not in FINAL_STATES:
            raise ValueError(f"state = {self.state} is not final; use one of {sorted(FINAL_STATES)}")
        allowed = REASONS[self.state]
        if self.reason not in allowed:
            raise ValueError(f"{self.state} can't have reason {self.reason}; use one of {sorted(allowed)}")
        return self

    @property
    def label(self) -> str:
        """The outcome in words, as tables show it: `stopped: converged`, `finished`."""
        if self.state in (State.FINISHED, State.CANCELLED):
            return str(self.state)
        return f"{self.state}: {self.reason}"
