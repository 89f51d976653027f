"""Train one candidate: interval after interval, an observation after each, until the budget or a signal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.space import Space
from hpc_nas.training.device_data import DeviceData
from hpc_nas.training.failures import Failure, guarded, release_cache, release_memory
from hpc_nas.training.session import Means, Session
from hpc_nas.values import REASONS, Candidate, Observation, Reason, State

Observe = Callable[[Observation], None]
CheckSignal = Callable[[], Reason | None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class TrainingEnd:
    """How one attempt of a candidate ended in its trainer.

    `epochs` counts validated epochs, `batches` all that were trained, `train_s` and `validate_s` the time in
    either. `first_batch_time` is when the first batch began, `signal_time` when a signal was seen (seconds
    since the Unix epoch, NaN if never); `last_batch_s` is how long the last training batch took.
    """

    state: State
    reason: Reason
    message: str
    epochs: float
    batches: int
    train_s: float
    validate_s: float
    last_batch_s: float
    first_batch_time: float
    signal_time: float

    def __post_init__(self) -> None:
        if self.reason not in REASONS.get(self.state, ()):
            raise ValueError(f"{self.state} can't have reason {self.reason}")


def train(
    candidate: Candidate,
    *,
    attempt: int,
    space: Space,
    problem: Problem,
    data: DeviceData,
    section: TrainingSection,
    device: torch.device,
    on_observation: Observe,
    check_signal: CheckSignal,
    clock: Callable[[], float] = time.time,
) -> TrainingEnd:
    """Train a candidate to its full budget, or until `check_signal` gives a reason to end it.

    `check_signal` is called between batches, of training and of validation; it returns None, a reason of
    State.STOPPED or Reason.CANCELLED. `on_observation` gets each observation as soon as it is known. What
    the network's own code raises ends this candidate (see `failures`); what these two raise goes through.
    Raises DeviceLost. Whatever happens, no reference to the network is kept.

    The curve depends on the candidate, its seed, the data and the section alone, not on what this process
    trained before; `configure_torch` is called once, earlier.
    """
    progress = _Progress()
    session = guarded(
        lambda: Session(candidate, space=space, problem=problem, data=data, section=section, device=device),
        building=True,
    )
    if isinstance(session, Failure):
        release_memory()
        return progress.end(session)
    steps = _Steps(session, progress, check_signal=check_signal, clock=clock)
    try:
        for interval in range(1, session.intervals.num_intervals + 1):
            observation = steps.interval(session.intervals.epoch_after(interval), candidate.number, attempt)
            on_observation(observation)
            progress.epochs = observation.epoch
        cause: Reason | Failure = Reason.FULL_BUDGET
    except _Ended as ended:
        cause = ended.cause
    finally:
        session.close()
    if isinstance(cause, Failure):
        release_memory()
    else:
        release_cache()
    return progress.end(cause)


class _Ended(Exception):
    """Leaves the loops of a training before the full budget."""

    def __init__(self, cause: Reason | Failure) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(kw_only=True)
class _Progress:
    """What is counted while a candidate trains."""

    epochs: float = 0.0
    batches: int = 0
    train_s: float = 0.0
    validate_s: float = 0.0
    last_batch_s: float = math.nan
    first_batch_time: float = math.nan
    signal_time: float = math.nan

    def end(self, cause: Reason | Failure) -> TrainingEnd:
        """The end for this cause, with the counts so far."""
        if isinstance(cause, Failure):
            return TrainingEnd(state=State.FAILED, reason=cause.reason, message=cause.message, **vars(self))
        state = next(state for state, reasons in REASONS.items() if cause in reasons)
        return TrainingEnd(state=state, reason=cause, message="", **vars(self))


class _Steps:
    """Takes the session through intervals batch by batch, with an eye on the signal and the time."""

    def __init__(
        self,
        session: Session,
        progress: _Progress,
        *,
        check_signal: CheckSignal,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._progress = progress
        self._check_signal = check_signal
        self._clock = clock

    def interval(self, epoch: float, candidate: int, attempt: int) -> Observation:
        """Train one interval that ends at `epoch`, and validate. Raises _Ended on a signal or a failure."""
        progress = self._progress
        train_s, validate_s = progress.train_s, progress.validate_s
        training = self._train()
        validation = self._validate()
        return Observation(
            candidate=candidate,
            attempt=attempt,
            epoch=epoch,
            val_accuracy=validation.accuracy,
            val_loss=validation.loss,
            train_accuracy=training.accuracy,
            train_loss=training.loss,
            learning_rate=self._session.learning_rate,
            train_s=progress.train_s - train_s,
            validate_s=progress.validate_s - validate_s,
            time_s=self._clock(),
        )

    def _train(self) -> Means:
        progress, started = self._progress, time.perf_counter()
        try:
            for _ in range(self._session.intervals.batches_per_interval):
                self._leave_on_signal()
                if progress.batches == 0:
                    progress.first_batch_time = self._clock()
                batch_started = time.perf_counter()
                _run(self._session.train_batch)
                progress.last_batch_s = time.perf_counter() - batch_started
                progress.batches += 1
            return _run(self._session.training_means)
        finally:
            progress.train_s += time.perf_counter() - started

    def _validate(self) -> Means:
        progress, started = self._progress, time.perf_counter()
        try:
            for index in range(self._session.num_validation_batches):
                self._leave_on_signal()
                _run(partial(self._session.validate_batch, index))
            return _run(self._session.validation_means)
        finally:
            progress.validate_s += time.perf_counter() - started

    def _leave_on_signal(self) -> None:
        reason = self._check_signal()
        if reason is None:
            return
        self._progress.signal_time = self._clock()
        if reason is not Reason.CANCELLED and reason not in REASONS[State.STOPPED]:
            allowed = ", ".join(sorted({Reason.CANCELLED, *REASONS[State.STOPPED]}))
            raise ValueError(f"check_signal returned {reason!r}; a trainer is stopped by one of {allowed}")
        raise _Ended(reason)


def _run(action: Callable[[], _Result]) -> _Result:
    result = guarded(action, building=False)
    if isinstance(result, Failure):
        raise _Ended(result)
    return result
