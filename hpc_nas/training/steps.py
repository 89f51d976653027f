"""Takes a session through its intervals batch by batch, with an eye on the signal and the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hpc_nas.tasks.sums import Means
from hpc_nas.training.failures import Failure, guarded
from hpc_nas.training.progress import Progress
from hpc_nas.training.session import Session
from hpc_nas.training.signals import Signal
from hpc_nas.values import Observation

CheckSignal = Callable[[], Signal | None]
_Result = TypeVar("_Result")


class Ended(Exception):
    """Leaves the loops of a training before the full budget."""

    def __init__(self, cause: Signal | Failure) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Steps:
    """The loops of one attempt; they begin wherever the session stands."""

    def __init__(
        self,
        session: Session,
        progress: Progress,
        *,
        check_signal: CheckSignal,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._progress = progress
        self._check_signal = check_signal
        self._clock = clock

    def interval(self, candidate: int, attempt: int) -> Observation:
        """Train and validate what is left of an interval. Raises Ended on a signal or a failure."""
        training = self._train()
        validation = self._validate()
        session, progress = self._session, self._progress
        session.next_interval()
        return Observation(
            candidate=candidate,
            attempt=attempt,
            epoch=session.epochs,
            val_accuracy=validation.accuracy,
            val_loss=validation.loss,
            train_accuracy=training.accuracy,
            train_loss=training.loss,
            learning_rate=session.learning_rate,
            train_s=progress.interval_train_s,
            validate_s=progress.interval_validate_s,
            time_s=self._clock(),
        )

    def _train(self) -> Means:
        session, progress, started = self._session, self._progress, time.perf_counter()
        try:
            for _ in range(session.batches_left):
                self._leave_on_signal()
                if progress.batches == 0:
                    progress.first_batch_time = self._clock()
                batch_started = time.perf_counter()
                run_guarded(session.train_batch)
                progress.last_batch_s = time.perf_counter() - batch_started
                progress.batches += 1
            return run_guarded(session.training_means)
        finally:
            progress.trained(time.perf_counter() - started)

    def _validate(self) -> Means:
        session, progress, started = self._session, self._progress, time.perf_counter()
        try:
            for _ in range(session.validation_batches_left):
                self._leave_on_signal()
                run_guarded(session.validate_batch)
            return run_guarded(session.validation_means)
        finally:
            progress.validated(time.perf_counter() - started)

    def _leave_on_signal(self) -> None:
        signal = self._check_signal()
        if signal is not None:
            self._progress.signal_time = self._clock()
            raise Ended(signal)


def run_guarded(action: Callable[[], _Result]) -> _Result:
    """The result of what runs a network's own code. Raises Ended where that fails."""
    result = guarded(action, building=False)
    if isinstance(result, Failure):
        raise Ended(result)
    return result
