"""What is counted while an attempt trains, and the end that it comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hpc_nas.training.checkpoint import Checkpoint, NoCheckpoint, TrainingPosition
from hpc_nas.training.failures import Failure
from hpc_nas.training.signals import Signal
from hpc_nas.values import REASONS, Observation, Reason, State

NOT_NEEDED = NoCheckpoint(message="it does not go on")


@dataclass(frozen=True, kw_only=True)
class TrainingEnd:
    """How one attempt of a candidate ended in its trainer.

    `start_epoch` and `start_batch` say where its checkpoint stood, 0 without one. `epochs` counts validated epochs
    from the candidate's start; `batches`, `train_s` and `validate_s` what this attempt trained, and its time in
    either. `first_batch_time` is when its first batch began, `signal_time` when a signal was seen (seconds since
    the Unix epoch, NaN if never); `last_batch_s` is how long the last training batch took. `checkpoint` is that of
    a candidate that was paused or cancelled.
    """

    state: State
    reason: Reason
    message: str
    start_epoch: float
    start_batch: int
    epochs: float
    batches: int
    train_s: float
    validate_s: float
    last_batch_s: float
    first_batch_time: float
    signal_time: float
    checkpoint: Checkpoint | NoCheckpoint

    def __post_init__(self) -> None:
        if self.reason not in REASONS.get(self.state, ()):
            raise ValueError(f"{self.state} can't have reason {self.reason}")


@dataclass(kw_only=True)
class Progress:
    """The counts of one attempt; those of `interval_*` belong to the interval in progress, whoever began it."""

    start_epoch: float = 0.0
    start_batch: int = 0
    epochs: float = 0.0
    batches: int = 0
    train_s: float = 0.0
    validate_s: float = 0.0
    interval_train_s: float = 0.0
    interval_validate_s: float = 0.0
    last_batch_s: float = math.nan
    first_batch_time: float = math.nan
    signal_time: float = math.nan
    observations: list[Observation] = field(default_factory=list)

    def begin_at(self, position: TrainingPosition) -> None:
        """Go on from a checkpoint."""
        self.start_epoch = self.epochs = position.epochs
        self.start_batch = position.batches
        self.interval_train_s = position.train_s
        self.interval_validate_s = position.validate_s
        self.observations = list(position.observations)

    def trained(self, seconds: float) -> None:
        self.train_s += seconds
        self.interval_train_s += seconds

    def validated(self, seconds: float) -> None:
        self.validate_s += seconds
        self.interval_validate_s += seconds

    def observed(self, observation: Observation) -> None:
        """The interval in progress is complete."""
        self.observations.append(observation)
        self.epochs = observation.epoch
        self.interval_train_s = self.interval_validate_s = 0.0

    def end(
        self, cause: Signal | Failure | Reason, *, checkpoint: Checkpoint | NoCheckpoint = NOT_NEEDED
    ) -> TrainingEnd:
        """The end for this cause (a bare reason: that of a finished candidate), with the counts so far."""
        message = ""
        if isinstance(cause, Reason):
            state, reason = State.FINISHED, cause
        elif isinstance(cause, Signal):
            state, reason = cause.state, cause.reason
        else:
            state, reason, message = State.FAILED, cause.reason, cause.message
        return TrainingEnd(
            state=state,
            reason=reason,
            message=message,
            start_epoch=self.start_epoch,
            start_batch=self.start_batch,
            epochs=self.epochs,
            batches=self.batches,
            train_s=self.train_s,
            validate_s=self.validate_s,
            last_batch_s=self.last_batch_s,
            first_batch_time=self.first_batch_time,
            signal_time=self.signal_time,
            checkpoint=checkpoint,
        )
