"""A trainer rank: takes assignments, trains, appends observations to its own file, never waits for the estimator."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.errors import RecordError
from hpc_nas.group.attempt_checkpoints import AttemptCheckpoints
from hpc_nas.group.checkpoint_saver import Answer, CheckpointSaver
from hpc_nas.group.final_test_export import make_finish
from hpc_nas.group.trainer_resources import TrainerResources, prepare_resources
from hpc_nas.group.wire import (
    REPORT_TAG,
    Command,
    CommandBox,
    Failed,
    Leave,
    Left,
    Notification,
    Outbox,
    Pause,
    Present,
    Report,
    Saved,
    Stop,
    Taken,
    Train,
)
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.tasks.cache import data_cache_dir
from hpc_nas.training.checkpoint import Checkpoint
from hpc_nas.training.program import Job, TrainingProgram
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.signals import GOES_ON, Signal
from hpc_nas.training.trainer import BuiltInTraining
from hpc_nas.values import Observation, Reason, State

logger = logging.getLogger(__name__)

IGNORED_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""A scheduler's warnings: the estimator rank heeds them, and tells its trainers to leave in order."""

IDLE_POLL_S = 0.001


class TrainerRank:
    """Serves assignments until told to leave."""

    def __init__(self, comm: MPI.Comm, *, configuration: Configuration, files: GroupFiles, estimator: int):
        self._comm = comm
        self._configuration = configuration
        self._files = files
        self._estimator = estimator
        self._commands = CommandBox(comm, source=estimator)
        self._outbox = Outbox(comm, tag=REPORT_TAG)
        self._leaving = False

    def run(self) -> None:
        """Take the place, then train candidate after candidate."""
        for signum in IGNORED_SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        bench = prepare_resources(self._configuration, cache_dir=data_cache_dir(), local_rank=self._comm.rank)
        self._saver = CheckpointSaver(self._files, origin=bench.origin)
        self._program = self._make_program(bench)
        try:
            self._record(bench)
        except RecordError as error:
            # Nothing can be recorded any more: say so and wait to be sent away with the others.
            logger.error("rank %d can't write its records: %s", self._comm.rank, error)
            self._report(Failed(message=str(error)))
            while not isinstance(self._next_command(), Leave):
                pass
        except Exception:
            # The rank dies of it, and the group with it; candidates that were paused before need not suffer.
            self._saver.close(timeout_s=self._configuration.group.drain_s)
            raise
        self._finish_writing()
        self._commands.cancel()
        self._outbox.flush(timeout_s=5.0)

    def _make_program(self, bench: TrainerResources) -> TrainingProgram:
        finish = make_finish(
            self._configuration,
            bench=bench,
            directory=self._files.run_directory,
            cache_dir=data_cache_dir(),
        )
        return BuiltInTraining(
            space=bench.space, data=bench.data, section=self._configuration.training, finish=finish
        )

    def _record(self, bench: TrainerResources) -> None:
        """Serve with a rank file."""
        rank, device = self._comm.rank, str(bench.device)
        with TrainerFile(
            self._files.rank_file_path(rank), group=self._files.group, rank=rank, device=device
        ) as file:
            self._report(Present(host=socket.gethostname(), pid=os.getpid(), device=device))
            self._serve(bench, file)

    def _serve(self, bench: TrainerResources, file: TrainerFile) -> None:
        while not self._leaving:
            command = self._next_command()
            if isinstance(command, Leave):
                return
            if isinstance(command, Train):
                self._train(command, bench=bench, file=file)
            # A Stop or a Pause that arrives here names an attempt that is over: stale.

    def _train(self, command: Train, *, bench: TrainerResources, file: TrainerFile) -> None:
        received_time = time.time()
        assignment = command.assignment
        candidate, attempt = assignment.candidate, assignment.attempt
        self._report(Taken(candidate=candidate.number, attempt=attempt))

        def report(observation: Observation) -> None:
            index = file.append_observation(observation)
            self._report(Notification(index=index, row=observation))

        job = Job(
            candidate=candidate,
            attempt=attempt,
            device=bench.device,
            max_epochs=self._configuration.max_epochs,
            checkpoints=AttemptCheckpoints(
                assignment,
                section=self._configuration.checkpoints,
                files=self._files,
                origin=bench.origin,
                device=bench.device,
                saver=self._saver,
            ),
            report=report,
            check_signal=lambda: self._check_signal(candidate.number, attempt),
        )
        end = self._program.run(job)  # a candidate that has finished has left its files by then
        left_time = time.time()
        self._report(
            Left(
                candidate=candidate.number,
                attempt=attempt,
                state=end.state,
                reason=end.reason,
                message=end.message,
                left_time=left_time,
            )
        )
        # After the report: the next assignment travels while the rest is done.
        self._dispose(end, candidate=candidate.number, attempt=attempt)
        _append_attempt(
            file, end, candidate=candidate.number, attempt=attempt, times=(received_time, left_time)
        )
        if end.state is State.FAILED:
            logger.info("candidate %d attempt %d failed: %s", candidate.number, attempt, end.message)

    def _check_signal(self, candidate: int, attempt: int) -> Signal | None:
        """What the estimator has sent that concerns this attempt; called between batches."""
        self._report_written()
        command = self._commands.poll()
        if isinstance(command, Leave):
            self._leaving = True
            return Signal(state=State.CANCELLED, reason=Reason.CANCELLED)
        if isinstance(command, Stop | Pause) and (command.candidate, command.attempt) == (candidate, attempt):
            state = State.STOPPED if isinstance(command, Stop) else State.PAUSED
            return Signal(state=state, reason=command.reason)
        return None

    # --- checkpoints ---------------------------------------------------------------------------------------

    def _dispose(self, end: TrainingEnd, *, candidate: int, attempt: int) -> None:
        """Have the checkpoint of a candidate that goes on written; one that does not needs none any more."""
        if end.state not in GOES_ON:
            self._saver.forget(candidate)
        elif isinstance(end.checkpoint, Checkpoint):
            self._saver.save(end.checkpoint, timeout_s=self._configuration.group.drain_s)
        else:
            message = end.checkpoint.message
            logger.warning("candidate %d attempt %d: no checkpoint: %s", candidate, attempt, message)
            self._report(
                Saved(
                    candidate=candidate, attempt=attempt, epochs=end.epochs, checkpoint=None, message=message
                )
            )

    def _report_written(self) -> None:
        while (answer := self._saver.take()) is not None:
            self._report_answer(answer)

    def _report_answer(self, answer: Answer) -> None:
        if answer.checkpoint is None:
            logger.warning("candidate %d attempt %d: %s", answer.candidate, answer.attempt, answer.message)
        self._report(Saved(**vars(answer)))

    def _finish_writing(self) -> None:
        """Report each checkpoint as soon as it is there, for as long as a planned leave may take."""
        deadline = time.monotonic() + self._configuration.group.drain_s
        while self._saver.busy and time.monotonic() < deadline:
            self._report_written()
            time.sleep(IDLE_POLL_S)
        for answer in self._saver.close(timeout_s=max(0.0, deadline - time.monotonic())):
            self._report_answer(answer)

    # --- messages ------------------------------------------------------------------------------------------

    def _next_command(self) -> Command:
        """Sleeps between looks: a blocked MPI receive burns a core. Reports meanwhile what has been written.

        There is no deadline here: when the estimator rank dies, MPI ends this rank too, and when it hangs
        the group's launcher kills the group.
        """
        while (command := self._commands.poll()) is None:
            self._report_written()
            time.sleep(IDLE_POLL_S)
        return command

    def _report(self, report: Report) -> None:
        self._outbox.send(report, to=self._estimator)


def _append_attempt(
    file: TrainerFile, end: TrainingEnd, *, candidate: int, attempt: int, times: tuple[float, float]
) -> None:
    file.append_attempt(
        candidate=candidate,
        attempt=attempt,
        received_time=times[0],
        first_batch_time=end.first_batch_time,
        signal_time=end.signal_time,
        left_time=times[1],
        start_epoch=end.start_epoch,
        start_batch=end.start_batch,
        epochs=end.epochs,
        batches=end.batches,
        train_s=end.train_s,
        validate_s=end.validate_s,
        last_batch_s=end.last_batch_s,
        state=end.state,
        reason=end.reason,
        message=end.message,
    )
