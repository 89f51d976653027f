"""A trainer rank: takes assignments, trains, appends observations to its own file, never waits for the estimator."""

from __future__ import annotations

import logging
import os
import socket
import time

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.errors import RecordError
from hpc_nas.group.wire import (
    REPORT_TAG,
    CommandBox,
    Failed,
    Leave,
    Left,
    Outbox,
    Present,
    Ring,
    Stop,
    Taken,
    Train,
)
from hpc_nas.group.workbench import Workbench, prepare_workbench
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.training.cache import data_cache_dir
from hpc_nas.training.trainer import TrainingEnd, train
from hpc_nas.values import Observation, Reason, State

logger = logging.getLogger(__name__)


class TrainerRank:
    """Serves assignments until told to leave."""

    def __init__(
        self,
        comm: MPI.Comm,
        *,
        configuration: Configuration,
        files: GroupFiles,
        estimator: int,
    ):
        self._comm = comm
        self._configuration = configuration
        self._files = files
        self._estimator = estimator
        self._commands = CommandBox(comm, source=estimator)
        self._outbox = Outbox(comm, tag=REPORT_TAG)
        self._leaving = False

    def run(self) -> None:
        """Take the place, then train candidate after candidate."""
        bench = prepare_workbench(self._configuration, cache_dir=data_cache_dir(), local_rank=self._comm.rank)
        device = str(bench.device)
        try:
            with TrainerFile(
                self._files.rank_file_path(self._comm.rank),
                group=self._files.group,
                rank=self._comm.rank,
                device=device,
            ) as file:
                self._report(Present(host=socket.gethostname(), pid=os.getpid(), device=device))
                self._serve(bench, file)
        except RecordError as error:
            # Nothing can be recorded any more: say so and wait to be sent away with the others.
            logger.error("rank %d can't write its records: %s", self._comm.rank, error)
            self._report(Failed(message=str(error)))
            while not isinstance(self._commands.wait(), Leave):
                pass
        self._commands.cancel()
        self._outbox.flush(timeout_s=5.0)

    def _serve(self, bench: Workbench, file: TrainerFile) -> None:
        while not self._leaving:
            command = self._commands.wait()
            if isinstance(command, Leave):
                return
            if isinstance(command, Train):
                self._train(command, bench=bench, file=file)
            # A Stop that arrives here names an attempt that is over: stale.

    def _train(self, command: Train, *, bench: Workbench, file: TrainerFile) -> None:
        received_time = time.time()
        candidate, attempt = command.assignment.candidate, command.assignment.attempt
        self._report(Taken(candidate=candidate.number, attempt=attempt))

        def on_observation(observation: Observation) -> None:
            file.append_observation(observation)
            self._report(Ring())

        def check_signal() -> Reason | None:
            command = self._commands.poll()
            if isinstance(command, Stop) and (command.candidate, command.attempt) == (
                candidate.number,
                attempt,
            ):
                return command.reason
            if isinstance(command, Leave):
                self._leaving = True
                return Reason.CANCELLED
            return None

        end = train(
            candidate,
            attempt=attempt,
            space=bench.space,
            problem=bench.problem,
            data=bench.data,
            section=self._configuration.training,
            device=bench.device,
            on_observation=on_observation,
            check_signal=check_signal,
        )
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
        # After the report: the next assignment travels while this row is written.
        _append_attempt(
            file, end, candidate=candidate.number, attempt=attempt, times=(received_time, left_time)
        )
        if end.state is State.FAILED:
            logger.info("candidate %d attempt %d failed: %s", candidate.number, attempt, end.message)

    def _report(self, report: Present | Taken | Ring | Left | Failed) -> None:
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
        start_epoch=0.0,
        start_batch=0,
        epochs=end.epochs,
        batches=end.batches,
        train_s=end.train_s,
        validate_s=end.validate_s,
        last_batch_s=end.last_batch_s,
        state=end.state,
        reason=end.reason,
        message=end.message,
    )
