"""The estimator rank: reads rows in situ, forecasts, decides, signals, and hands out the next candidate.

One loop: it sleeps in the campaign's socket, so that it neither spins nor blocks in MPI, then takes what trainers
report (a freed trainer gets its next candidate before anything else), new rows, and what the judge's thread has
decided. Nothing in it takes longer when more candidates are known.
"""

from __future__ import annotations

import logging
import time

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.errors import RecordError
from hpc_nas.group import protocol
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.group.campaign_session import CampaignSession
from hpc_nas.group.campaign_socket import CampaignSocket
from hpc_nas.group.connection import read_connection
from hpc_nas.group.decision_queue import Concluded, DecisionQueue, Judged
from hpc_nas.group.hangs import Hang, NobodyToCharge
from hpc_nas.group.pending_checkpoints import INTERRUPTED, PendingCheckpoints
from hpc_nas.group.results import Results
from hpc_nas.group.rows import Rows
from hpc_nas.group.shutdown import MARGIN_S, Shutdown
from hpc_nas.group.trainers import Trainers
from hpc_nas.group.wire import Failed, Left, Notification, Present, ReportBox, Saved, Taken
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import EstimatorFile
from hpc_nas.values import Observation, Reason, State

logger = logging.getLogger(__name__)

POLL_MS = 3
IDLE_POLL_MS = 20  # while no trainer trains: all there is to hear comes through the socket


class EstimatorRank:
    """Serves a group's trainers until it is time to leave."""

    def __init__(
        self,
        comm: MPI.Comm,
        *,
        configuration: Configuration,
        files: GroupFiles,
        session: CampaignSession,
        shutdown: Shutdown,
        file: EstimatorFile,
    ):
        self._configuration = configuration
        self._group = files.group
        self._campaign = session
        self._shutdown = shutdown
        self._results = Results(file, session=session)
        self._reports = ReportBox(comm)
        self._trainers = Trainers(comm, section=configuration.group)
        self._rows = Rows(files, own_rank=comm.rank, was_placed=self._trainers.was_placed)
        self._pending = PendingCheckpoints()
        self._hung: list[str] = []

    def run(self) -> None:
        """Greet the campaign, serve, leave in order. Raises NobodyToCharge where a trainer does not answer."""
        welcome = self._campaign.greet(timeout_s=self._configuration.group.orphan_grace_s)
        preset = make_preset(self._configuration, chance_accuracy=welcome.chance_accuracy)
        self._needs_history = not preset.alone
        self._decisions = DecisionQueue(preset, mode_for=self._configuration.mode_for)
        try:
            while not self._shutdown.look(silent_s=self._campaign.silent_s):
                self._turn(POLL_MS if self._trainers.busy or self._decisions else IDLE_POLL_MS)
                self._trainers.check_present()
                for hang in self._trainers.overdue():
                    self._give_up_on(hang)
            self._leave()
        finally:
            self._decisions.close()
            self._rows.close()

    # --- one turn ----------------------------------------------------------------------------------------

    def _turn(self, timeout_ms: int) -> None:
        for message in self._campaign.hear(timeout_ms=timeout_ms):
            self._obey(message)
        self._take_reports()
        self._place()
        for observation, lag_s in self._rows.read():
            self._take_row(observation, lag_s=lag_s)
        self._take_results()
        self._keep_up()

    def _obey(self, message: protocol.FromCampaign) -> None:
        if isinstance(message, protocol.Assign):
            self._trainers.receive(message.assignments)
        elif isinstance(message, protocol.HistoryEvents):
            self._decisions.learn(message.events, first_version=message.first_version)
        elif isinstance(message, protocol.Leave):
            self._shutdown.leave(message.reason)

    def _take_reports(self) -> None:
        while (item := self._reports.poll()) is not None:
            trainer, report = item
            if isinstance(report, Notification):
                self._rows.notify(trainer, report)
            elif isinstance(report, Left):
                self._on_left(trainer, report)
            elif isinstance(report, Saved) and (found := self._pending.saved(report)) is not None:
                self._decisions.set_aside(found)
            elif isinstance(report, Taken):
                self._campaign.send(
                    protocol.Started(candidate=report.candidate, attempt=report.attempt, trainer=trainer)
                )
            elif isinstance(report, Present):
                if (devices := self._trainers.present(trainer, report)) is not None:
                    self._campaign.send(protocol.Ready(devices=devices))
            elif isinstance(report, Failed):
                self._trainers.drop(trainer)
                self._campaign.send(protocol.Trouble(message=report.message))

    def _on_left(self, trainer: int, report: Left) -> None:
        key = (report.candidate, report.attempt)
        if not self._trainers.left(trainer, key=key):
            return  # it was given up, and woke up after all: it has its end
        self._place()  # first of all: the freed trainer goes on
        for observation, lag_s in self._rows.read_of(trainer):  # they come before its conclusion
            self._take_row(observation, lag_s=lag_s)
        if report.state in INTERRUPTED:
            self._pending.left(trainer, report)
            return
        self._decisions.conclude(
            key,
            trainer=trainer,
            state=report.state,
            reason=report.reason,
            message=report.message,
            ended_time=report.left_time,
        )

    def _place(self) -> None:
        self._trainers.place()
        self._keep_up()

    def _keep_up(self) -> None:
        version = self._decisions.history_version if self._needs_history else None
        self._campaign.keep_up(credits=self._trainers.credits, history_version=version)

    # --- rows, forecasts, decisions ----------------------------------------------------------------------

    def _take_row(self, observation: Observation, *, lag_s: float) -> None:
        self._decisions.observe(observation, read_lag_s=lag_s)
        if not observation.carried:
            self._trainers.observed((observation.candidate, observation.attempt))

    def _take_results(self) -> None:
        while (result := self._decisions.take()) is not None:
            if isinstance(result, Judged):
                self._carry_out(result)
            elif isinstance(result, Concluded):
                self._results.concluded(result)
            else:
                self._results.set_aside(result)

    def _carry_out(self, judged: Judged) -> None:
        """Signal first, then record, then tell."""
        observation, verdict = judged.observation, judged.verdict
        key = (observation.candidate, observation.attempt)
        if verdict is None:
            logger.warning("candidate %d attempt %d: row ignored: %s", *key, judged.error)
            return
        trainer = self._trainers.trainer_of(key)
        if verdict.signal is not None and trainer is not None:
            self._trainers.signal(verdict.signal, key=key, trainer=trainer)
            self._results.signalled(key, decided_time=judged.decided_time)
        self._results.judged(judged, trainer=trainer)

    # --- leaving -----------------------------------------------------------------------------------------

    def _give_up_on(self, hang: Hang) -> None:
        """The candidate has failed; the group must go, since a rank of it that hangs can't be replaced."""
        message = (
            f"{self._trainers.where(hang.trainer)} has shown nothing for {hang.silent_s:.0f} s, "
            f"{hang.allowed_s:.0f} s are allowed: it hangs"
        )
        logger.error("candidate %d attempt %d: %s", *hang.key, message)
        self._trainers.drop(hang.trainer)
        self._decisions.conclude(
            hang.key,
            trainer=hang.trainer,
            state=State.FAILED,
            reason=Reason.HUNG,
            message=message,
            ended_time=time.time(),
        )
        self._hung.append(message)
        self._shutdown.leave(message)

    def _leave(self) -> None:
        """Send the trainers away, wait for their checkpoints, judge what is left, tell the campaign."""
        assert self._shutdown.reason is not None
        logger.info("group %d leaves: %s", self._group, self._shutdown.reason)
        self._trainers.send_away()
        self._shutdown.begin()
        while self._unfinished and self._shutdown.may_go_on(silent_s=self._campaign.silent_s):
            self._turn(POLL_MS)
        for interrupted in self._pending.give_up("its checkpoint was not written in time"):
            self._decisions.set_aside(interrupted)
        until = max(self._shutdown.until, time.monotonic() + MARGIN_S)
        while self._decisions and time.monotonic() < until:
            self._take_results()
            self._keep_up()
            time.sleep(POLL_MS / 1000)
        self._campaign.send(protocol.Goodbye(reason=self._shutdown.reason))
        self._campaign.settle(until=until, silent_s=self._shutdown.silence_limit_s, poll_ms=POLL_MS)
        stayed = [
            f"{self._trainers.where(trainer)} did not leave in time" for trainer in self._trainers.training
        ]
        if self._hung or stayed:
            raise NobodyToCharge("; ".join(self._hung + stayed))
        self._trainers.flush(timeout_s=1.0)

    @property
    def _unfinished(self) -> bool:
        return bool(self._trainers.training or self._pending or self._decisions)


def run_estimator(
    comm: MPI.Comm, *, configuration: Configuration, files: GroupFiles, shutdown: Shutdown
) -> None:
    """Open the line and the file, serve, and report records that can't be written before giving up."""
    directory, group = files.run_directory, files.group
    link = CampaignSocket(read_connection(directory.connection_path), group=group)
    session = CampaignSession(link, alive_path=files.alive_path, deadline_time=shutdown.deadline_time)
    path = files.rank_file_path(comm.rank)
    try:
        with EstimatorFile(path, group=group, rank=comm.rank, device="none") as file:
            EstimatorRank(
                comm,
                configuration=configuration,
                files=files,
                session=session,
                shutdown=shutdown,
                file=file,
            ).run()
    except (RecordError, OSError) as error:
        if link.connected:
            link.send(protocol.Trouble(message=str(error)))
        raise
    finally:
        link.close()
