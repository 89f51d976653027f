"""The estimator rank: reads rows in situ, forecasts, decides, signals, and hands out the next candidate.

One loop: it sleeps in the campaign's socket, so that it neither spins nor blocks in MPI, then takes what trainers
report (a freed trainer gets its next candidate before anything else), new rows, and what the judge's thread has
decided. Nothing in it takes longer when more candidates are known.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError, RecordError
from hpc_nas.group import protocol
from hpc_nas.group.connection import read_connection
from hpc_nas.group.correspondence import Correspondence
from hpc_nas.group.docket import Docket, Judged
from hpc_nas.group.judge import make_preset
from hpc_nas.group.link import CampaignLink
from hpc_nas.group.readers import ObservationReaders
from hpc_nas.group.results import Results
from hpc_nas.group.roster import Roster
from hpc_nas.group.wire import (
    COMMAND_TAG,
    Failed,
    Leave,
    Left,
    Outbox,
    Present,
    ReportBox,
    Ring,
    Stop,
    Taken,
    Train,
)
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import EstimatorFile

logger = logging.getLogger(__name__)

POLL_MS = 3
IDLE_POLL_MS = 20  # while no trainer trains: all there is to hear comes through the socket


class EstimatorRank:
    """Serves a group's trainers until the campaign sends the group away or falls silent."""

    def __init__(
        self,
        comm: MPI.Comm,
        *,
        configuration: Configuration,
        files: GroupFiles,
        correspondence: Correspondence,
        file: EstimatorFile,
    ):
        trainers = comm.size - 1
        section = configuration.group
        self._configuration = configuration
        self._group = files.group
        self._campaign = correspondence
        self._results = Results(file, correspondence=correspondence)
        self._reports = ReportBox(comm)
        self._outbox = Outbox(comm, tag=COMMAND_TAG)
        self._roster = Roster(
            num_trainers=trainers, prefetch=section.prefetch if section.prefetch is not None else trainers
        )
        self._paths = {rank: files.rank_file_path(rank) for rank in range(trainers)}
        self._rung_paths = frozenset(self._paths.values())
        self._readers = ObservationReaders(files.rank_files_dir, own=files.rank_file_path(comm.rank))
        self._rung: set[Path] = set()
        self._devices: dict[int, str] = {}
        self._present_by = time.monotonic() + section.start_timeout_s
        self._leave_reason: str | None = None

    def run(self) -> None:
        """Greet the campaign, serve, leave in order."""
        welcome = self._campaign.greet(timeout_s=self._configuration.group.orphan_grace_s)
        preset = make_preset(self._configuration, chance_accuracy=welcome.chance_accuracy)
        self._needs_history = not preset.alone
        self._docket = Docket(preset, mode_for=self._configuration.mode_for)
        try:
            while self._leave_reason is None:
                self._step()
            self._leave()
        finally:
            self._docket.close()

    # --- one round ---------------------------------------------------------------------------------------

    def _step(self) -> None:
        busy = not self._roster.all_present or self._roster.running or self._docket
        for message in self._campaign.hear(timeout_ms=POLL_MS if busy else IDLE_POLL_MS):
            self._obey(message)
        self._take_reports()
        self._place()
        self._read()
        self._take_results()
        self._keep_up()
        if not self._roster.all_present and time.monotonic() > self._present_by:
            raise LaunchError(
                f"only trainers {sorted(self._devices)} of {len(self._paths)} were ready within "
                f"{self._configuration.group.start_timeout_s:g} s"
            )
        if self._campaign.silent_s > self._configuration.group.orphan_grace_s / 2:
            self._leave_reason = f"the campaign has been silent for {self._campaign.silent_s:.0f} s"

    def _take_reports(self) -> None:
        while (item := self._reports.poll()) is not None:
            trainer, report = item
            if isinstance(report, Ring):
                self._rung.add(self._paths[trainer])
            elif isinstance(report, Left):
                self._on_left(trainer, report)
            elif isinstance(report, Taken):
                self._campaign.send(
                    protocol.Started(candidate=report.candidate, attempt=report.attempt, trainer=trainer)
                )
            elif isinstance(report, Present):
                self._on_present(trainer, report)
            elif isinstance(report, Failed):
                self._roster.lost(trainer)
                self._campaign.send(protocol.Trouble(message=report.message))

    def _on_present(self, trainer: int, report: Present) -> None:
        self._devices[trainer] = report.device
        self._roster.present(trainer)
        if self._roster.all_present:
            devices = [self._devices[rank] for rank in sorted(self._devices)]
            self._campaign.send(protocol.Ready(devices=devices))

    def _on_left(self, trainer: int, report: Left) -> None:
        self._roster.left(trainer)
        self._place()  # first of all: the freed trainer goes on
        self._read_file(self._paths[trainer])  # its last rows come before its conclusion
        self._docket.conclude(
            (report.candidate, report.attempt),
            trainer=trainer,
            state=report.state,
            reason=report.reason,
            message=report.message,
            ended_time=report.left_time,
        )

    def _place(self) -> None:
        for trainer, assignment in self._roster.place():
            self._outbox.send(Train(assignment=assignment), to=trainer)
        self._keep_up()

    def _keep_up(self) -> None:
        version = self._docket.history_version if self._needs_history else None
        self._campaign.keep_up(credits=self._roster.credits, history_version=version)

    def _obey(self, message: protocol.FromCampaign) -> None:
        if isinstance(message, protocol.Assign):
            self._roster.receive(message.assignments)
        elif isinstance(message, protocol.HistoryEvents):
            self._docket.learn(message.events, first_version=message.first_version)
        elif isinstance(message, protocol.Leave):
            self._leave_reason = message.reason

    # --- rows, forecasts, decisions ----------------------------------------------------------------------

    def _read(self) -> None:
        for path in tuple(self._rung):
            self._rung.discard(path)
            self._read_file(path)
        for observation, lag_s in self._readers.scan(rung=self._rung_paths):
            self._docket.observe(observation, read_lag_s=lag_s)

    def _read_file(self, path: Path) -> None:
        for observation, lag_s in self._readers.read(path):
            self._docket.observe(observation, read_lag_s=lag_s)

    def _take_results(self) -> None:
        while (result := self._docket.take()) is not None:
            if isinstance(result, Judged):
                self._carry_out(result)
            else:
                self._results.concluded(result)

    def _carry_out(self, judged: Judged) -> None:
        """Signal first, then record, then tell."""
        observation, verdict = judged.observation, judged.verdict
        key = (observation.candidate, observation.attempt)
        if verdict is None:
            logger.warning("candidate %d attempt %d: row ignored: %s", *key, judged.error)
            return
        trainer = self._roster.trainer_of(*key)
        if verdict.signal is not None and trainer is not None:
            self._outbox.send(Stop(candidate=key[0], attempt=key[1], reason=verdict.signal), to=trainer)
            self._results.signalled(key, decided_time=judged.decided_time)
        self._results.judged(judged, trainer=trainer)

    # --- leaving -----------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Send the trainers away, judge what is left, tell the campaign; all within the grace time."""
        assert self._leave_reason is not None
        grace_s = self._configuration.group.orphan_grace_s
        logger.info("group %d leaves: %s", self._group, self._leave_reason)
        self._roster.close()
        for trainer in sorted(self._paths):
            self._outbox.send(Leave(), to=trainer)
        deadline = time.monotonic() + grace_s / 4
        while (self._roster.running or self._docket) and time.monotonic() < deadline:
            self._take_reports()
            self._take_results()
            time.sleep(POLL_MS / 1000)
        self._campaign.send(protocol.Goodbye(reason=self._leave_reason))
        self._campaign.settle(until=deadline, silent_s=grace_s / 2, poll_ms=POLL_MS)
        self._readers.close()
        if self._roster.running:
            raise LaunchError(
                f"trainers {sorted(self._roster.running)} did not leave within {grace_s / 4:.0f} s"
            )
        self._outbox.flush(timeout_s=1.0)


def run_estimator(
    comm: MPI.Comm, *, configuration: Configuration, files: GroupFiles, deadline_time: float | None
) -> None:
    """Open the line and the file, serve, and report records that can't be written before giving up."""
    directory, group = files.run_directory, files.group
    link = CampaignLink(read_connection(directory.connection_path), group=group)
    try:
        with EstimatorFile(
            files.rank_file_path(comm.rank), group=group, rank=comm.rank, device="none"
        ) as file:
            EstimatorRank(
                comm,
                configuration=configuration,
                files=files,
                correspondence=Correspondence(
                    link, alive_path=directory.alive_path(group), deadline_time=deadline_time
                ),
                file=file,
            ).run()
    except (RecordError, OSError) as error:
        if link.connected:
            link.send(protocol.Trouble(message=str(error)))
        raise
    finally:
        link.close()
