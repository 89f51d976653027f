"""The groups of an earlier campaign process: they are heard, told to leave, and their ends are recorded."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress

import psutil

from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.looks import Looks
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.stop import StopRequest
from hpc_nas.configuration import GroupSection
from hpc_nas.group import protocol
from hpc_nas.platforms.processes.group_status import TELL_INTERVAL_S, GroupStatus, read_status
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.ledger import GroupReported, read_ledger
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)


class PreviousGroups:
    """Waits until the groups of an earlier process have left, taking the results they still bring."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        endpoint: Endpoint,
        losses: LossAssessor,
        directory: RunDirectory,
        stop: StopRequest,
    ):
        self._recorder = recorder
        self._endpoint = endpoint
        self._losses = losses
        self._directory = directory
        self._stop = stop
        self._reports = {
            event.group: event
            for event in read_ledger(directory.ledger_path).events
            if isinstance(event, GroupReported)
        }
        self._gone: set[int] = set()
        self._looks = Looks(time.monotonic)
        self._standings: dict[int, GroupStatus] = {}
        self._last_signs: dict[int, float] = {}  # of life, as the run directory shows them

    def settle(self, section: GroupSection) -> None:
        """Wait for each open group, then queue again what it did not finish.

        One that lives saves its candidates first, and one that has noticed the silence is about to.
        """
        grace_s = section.orphan_grace_s
        state = self._recorder.state
        waiting = set(state.open_groups)
        if waiting:
            logger.info("waiting for worker groups of the earlier process: %s", sorted(waiting))
        for group in waiting:
            self._look(group)
            self._looks.expect(group)
        deadline = time.monotonic() + max(2 * grace_s, section.drain_s + grace_s)
        while waiting and time.monotonic() < deadline and self._stop.reason is None:
            for group, message in self._endpoint.poll(200):
                self._hear(group, message)
            for group in self._looks.due():
                self._look(group)
            waiting = {group for group in waiting if not self._has_left(group, grace_s=grace_s)}
        # Where this process is to stop before they have left, the next one waits for them.
        living = waiting if self._stop.reason is not None else set()
        for group in sorted(state.open_groups - living):
            in_flight = state.attempts_in_flight(group)
            report = self._reports.get(group)
            loss = self._losses.examine(
                group,
                num_trainers=report.num_trainers if report is not None else None,
                in_flight=in_flight,
                exit=None,
                error="",
            )
            self._recorder.group_ended(group, loss)
        self._recorder.commit()

    def _hear(self, group: int, message: protocol.FromGroup) -> None:
        if isinstance(message, protocol.Ended):
            self._recorder.take(message.outcome, group=group)
            self._recorder.commit()
            self._acknowledge(group, message.outcome.candidate, attempt=message.outcome.attempt)
        elif isinstance(message, protocol.Interrupted):
            self._recorder.interrupt(message, group=group)
            self._recorder.commit()
            self._acknowledge(group, message.candidate, attempt=message.attempt)
        elif isinstance(message, protocol.Goodbye):
            self._gone.add(group)
            self._looks.forget(group)
            self._looks.expect(group)  # what it has drained, and how it ended, comes now
        elif isinstance(message, protocol.Progress):  # what it saw while no campaign listened
            self._recorder.observe(message, group=group)
        else:
            self._endpoint.send(group, protocol.Leave(reason="a resumed campaign starts its own groups"))

    def _acknowledge(self, group: int, candidate: int, *, attempt: int) -> None:
        self._endpoint.send(group, protocol.Acknowledge(candidate=candidate, attempt=attempt))

    def _look(self, group: int) -> None:
        """Open what the group's agent has written, on the shared file system."""
        files = GroupFiles(run_directory=self._directory, group=group)
        if (status := read_status(files.status_path)) is not None:
            self._standings[group] = status
        with suppress(OSError):
            self._last_signs[group] = self._directory.alive_path(group).stat().st_mtime

    def _has_left(self, group: int, *, grace_s: float) -> bool:
        status = self._standings.get(group)
        if status is not None and status.exit is not None:
            return True
        drains = status is not None and status.local_dir is not None  # its rows come after its goodbye
        report = self._reports.get(group)
        if report is not None and report.host == socket.gethostname() and not drains:
            return not _is_alive(report.pid, since=report.time_s)
        if group in self._gone and not drains:
            return True
        last_sign = self._last_signs.get(group)
        return last_sign is None or time.time() - last_sign > grace_s + TELL_INTERVAL_S


def _is_alive(pid: int, *, since: float) -> bool:
    """Does the process that reported at `since` still run? A later one with the same pid is another."""
    try:
        process = psutil.Process(pid)
        return bool(process.create_time() < since and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
