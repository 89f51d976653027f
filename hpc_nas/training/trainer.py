"""Train one candidate: interval after interval, an observation after each, until the budget or a signal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.base import TaskData
from hpc_nas.training.best_weights import Finish, NoWeights, Weights
from hpc_nas.training.checkpoint import Checkpoint, Checkpoints, NoCheckpoint, Occasion, TrainingPosition
from hpc_nas.training.failures import Failure, guarded, release_cache, release_memory
from hpc_nas.training.program import Job
from hpc_nas.training.progress import NOT_NEEDED, Progress, TrainingEnd
from hpc_nas.training.session import Session
from hpc_nas.training.signals import GOES_ON, Signal
from hpc_nas.training.steps import Ended, Steps, run_guarded
from hpc_nas.values import Reason, State

logger = logging.getLogger(__name__)

_NO_WEIGHTS = NoWeights()
_KEPT = "weights"  # in a checkpoint's state, beside what the session captures


class BuiltInTraining:
    """The training program that comes with hpc-nas: a network of the space, on the task's data, by its recipe.

    `finish` says what is kept of a network's weights, and what is done with those of one that is trained to the end.
    """

    def __init__(self, *, space: Space, data: TaskData, section: TrainingSection, finish: Finish) -> None:
        self._space = space
        self._data = data
        self._section = section
        self._finish = finish

    def run(self, job: Job) -> TrainingEnd:
        """See `TrainingProgram`. Raises RecordError and DataError as well, where a finalist can't be kept."""
        weights = self._finish.weights()
        end = train(job, space=self._space, data=self._data, section=self._section, weights=weights)
        if end.state is State.FINISHED:
            self._finish.finished(job.candidate, weights, epochs=end.epochs)
        return end


def train(
    job: Job,
    *,
    space: Space,
    data: TaskData,
    section: TrainingSection,
    weights: Weights = _NO_WEIGHTS,
    clock: Callable[[], float] = time.time,
) -> TrainingEnd:
    """Train a candidate to its full budget, or until a signal ends the attempt.

    The signal is looked for between batches, of training and of validation. Where the attempt goes on from a
    checkpoint, the observations that came with it are reported first, marked as carried. `weights` sees the network
    after each observation, and what it holds goes into the checkpoints. What the network's own code raises ends this
    candidate (see `failures`); what the job's functions raise goes through. Raises DeviceLost. Whatever happens, no
    reference to the network is kept.

    The curve depends on the candidate, its seed, the data and the section alone: not on what this process trained
    before, nor on where the training was cut. `configure_torch` is called once, earlier.
    """
    progress = Progress()
    session = _begin(
        lambda: Session(job.candidate, space=space, data=data, section=section, device=job.device),
        progress,
        checkpoints=job.checkpoints,
        weights=weights,
        where=f"candidate {job.number} attempt {job.attempt}",
    )
    if isinstance(session, Failure):
        release_memory()
        return progress.end(session)
    checkpoint: Checkpoint | NoCheckpoint = NOT_NEEDED
    try:
        for carried in progress.observations:
            job.report(carried.model_copy(update={"attempt": job.attempt, "carried": True}))
        steps = Steps(session, progress, check_signal=job.check_signal, clock=clock)
        copies = _Copies(session, progress, job=job, weights=weights)
        try:
            while session.intervals_done < session.intervals.num_intervals:
                observation = steps.interval(job.number, job.attempt)
                job.report(observation)
                progress.observed(observation)
                run_guarded(partial(weights.validated, session.module, observation))
                copies.after_validation()
            cause: Signal | Failure | Reason = Reason.FULL_BUDGET
        except Ended as ended:
            cause = ended.cause
        if isinstance(cause, Signal) and cause.state in GOES_ON:
            checkpoint = copies.on_leaving()
    finally:
        session.close()
    if isinstance(cause, Failure):
        release_memory()
    else:
        release_cache()
    return progress.end(cause, checkpoint=checkpoint)


def _begin(
    make: Callable[[], Session], progress: Progress, *, checkpoints: Checkpoints, weights: Weights, where: str
) -> Session | Failure:
    """A session at the checkpoint, or at the candidate's start where there is none that fits."""
    session = guarded(make, building=True)
    if isinstance(session, Failure) or (checkpoint := checkpoints.load()) is None:
        return session
    refusal = guarded(partial(_restore, session, weights, checkpoint), building=True)
    if not isinstance(refusal, Failure):
        progress.begin_at(checkpoint.position)
        return session
    logger.warning("%s begins from the start: its checkpoint does not fit: %s", where, refusal.message)
    checkpoints.refuse()
    session.close()  # half restored
    del session, checkpoint
    release_memory()
    return guarded(make, building=True)


def _restore(session: Session, weights: Weights, checkpoint: Checkpoint) -> None:
    session.restore(checkpoint.state)
    position = checkpoint.position
    seen = (session.epochs, session.batches, session.intervals_done)
    stated = (position.epochs, position.batches, len(position.observations))
    if seen != stated:
        raise ValueError(f"its state stands at (epochs, batches, validations) {seen}, its curve at {stated}")
    weights.restore(checkpoint.state.get(_KEPT, {}))


class _Copies:
    """Makes the copies of a session that are wanted."""

    def __init__(self, session: Session, progress: Progress, *, job: Job, weights: Weights) -> None:
        self._session = session
        self._progress = progress
        self._job = job
        self._weights = weights

    def after_validation(self) -> None:
        """One against crashes, where it is due and there is something left to train."""
        over = self._session.intervals_done == self._session.intervals.num_intervals
        if over or not self._job.checkpoints.wanted(Occasion.VALIDATED):
            return
        copy = self._copy()
        if isinstance(copy, Checkpoint):
            self._job.checkpoints.keep(copy)
        else:
            job = self._job
            logger.warning(
                "candidate %d attempt %d: no checkpoint: %s", job.number, job.attempt, copy.message
            )

    def on_leaving(self) -> Checkpoint | NoCheckpoint:
        """The one from which the candidate goes on."""
        if not self._job.checkpoints.wanted(Occasion.LEAVING):
            return NoCheckpoint(message="checkpoints are switched off ([checkpoints] enabled = false)")
        return self._copy()

    def _copy(self) -> Checkpoint | NoCheckpoint:
        state = guarded(self._session.capture, building=False)
        if isinstance(state, Failure):
            return NoCheckpoint(message=f"its state can't be copied: {state.message}")
        progress = self._progress
        position = TrainingPosition(
            candidate=self._job.candidate,
            attempt=self._job.attempt,
            device=self._job.device.type,
            epochs=progress.epochs,
            batches=self._session.batches,
            train_s=progress.interval_train_s,
            validate_s=progress.interval_validate_s,
            observations=tuple(progress.observations),
        )
        return Checkpoint(position=position, state=state | {_KEPT: self._weights.state()})
