"""Taking up a campaign: is it the same one, are groups of the old process still alive, what had they finished?"""

from __future__ import annotations

import logging
import socket
import time

import psutil

from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration import Configuration
from hpc_nas.errors import RunDirectoryError
from hpc_nas.group import protocol
from hpc_nas.records.ledger import (
    AttemptLost,
    CandidateEnded,
    Event,
    GroupEnded,
    GroupReported,
    LedgerWriter,
    ResultIgnored,
    read_ledger,
)
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.strategy import Strategy
from hpc_nas.values import Outcome, State

logger = logging.getLogger(__name__)

# What may differ when a campaign goes on: where it runs, and how many candidates it is to have in all.
_FREE = ("platform", "group")


def check_same_configuration(directory: RunDirectory, configuration: Configuration) -> None:
    """Raises RunDirectoryError naming every setting that differs from the campaign that lies there."""
    stored = Configuration.model_validate_json(directory.configuration_path.read_text(encoding="utf-8"))
    before, now = stored.model_dump(mode="json"), configuration.model_dump(mode="json")
    differences = [
        f"[{table}] {key}: {before[table].get(key)!r} there, {now[table].get(key)!r} now"
        for table in before
        if table not in _FREE
        for key in sorted({*before[table], *now[table]})
        if before[table].get(key) != now[table].get(key)
    ]
    if differences:
        raise RunDirectoryError(
            f"{directory.path} holds a campaign of another configuration; resume it with its own "
            f"(hpc-nas run --resume --run-dir {directory.path}), or start a new one elsewhere:\n  "
            + "\n  ".join(differences)
        )
    if stored != configuration:
        directory.publish(directory.configuration_path, configuration.model_dump_json(indent=2) + "\n")


class OldGroups:
    """Waits until the groups of an earlier process have left, taking the results they still bring."""

    def __init__(
        self,
        state: CampaignState,
        *,
        ledger: LedgerWriter,
        strategy: Strategy,
        endpoint: Endpoint,
        losses: LossAssessor,
        directory: RunDirectory,
    ):
        self._state = state
        self._ledger = ledger
        self._strategy = strategy
        self._endpoint = endpoint
        self._losses = losses
        self._directory = directory
        self._reports = {
            event.group: event
            for event in read_ledger(directory.ledger_path).events
            if isinstance(event, GroupReported)
        }
        self._gone: set[int] = set()

    def settle(self, *, grace_s: float) -> None:
        """Wait for each open group, then queue again what it did not finish."""
        waiting = set(self._state.open_groups)
        if waiting:
            logger.info("waiting for worker groups of the earlier process: %s", sorted(waiting))
        deadline = time.monotonic() + 2 * grace_s
        while waiting and time.monotonic() < deadline:
            for group, message in self._endpoint.poll(200):
                self._hear(group, message)
            waiting = {group for group in waiting if not self._has_left(group, grace_s=grace_s)}
        for group in sorted(self._state.open_groups):
            self._bury(group)

    def _hear(self, group: int, message: protocol.FromGroup) -> None:
        if isinstance(message, protocol.Ended):
            self._take(group, message.outcome)
            self._endpoint.send(
                group,
                protocol.Acknowledge(candidate=message.outcome.candidate, attempt=message.outcome.attempt),
            )
        elif isinstance(message, protocol.Goodbye):
            self._gone.add(group)
        else:
            self._endpoint.send(group, protocol.Leave(reason="a resumed campaign starts its own groups"))

    def _has_left(self, group: int, *, grace_s: float) -> bool:
        report = self._reports.get(group)
        if report is not None and report.host == socket.gethostname():
            return not _is_alive(report.pid, since=report.time_s)
        if group in self._gone:
            return True
        alive = self._directory.alive_path(group)
        return not alive.exists() or time.time() - alive.stat().st_mtime > grace_s

    def _bury(self, group: int) -> None:
        in_flight = self._state.in_flight(group)
        numbers = [entry.candidate.number for entry in in_flight]
        loss = self._losses.examine(group, in_flight=numbers, exit=None, error="")
        for outcome in loss.salvaged:
            if self._state.is_current(outcome):
                self._take(group, outcome)
        for entry in self._state.in_flight(group):
            self._record(
                AttemptLost(
                    candidate=entry.candidate.number,
                    attempt=entry.attempt,
                    group=group,
                    message="the campaign process ended",
                    charged=False,
                    suspect=False,
                    time_s=time.time(),
                )
            )
        self._record(GroupEnded(group=group, reason=loss.message, time_s=time.time()))

    def _take(self, group: int, outcome: Outcome) -> None:
        now = time.time()
        if outcome.state is State.CANCELLED:
            return  # interrupted: it runs again
        if not self._state.is_current(outcome):
            self._record(ResultIgnored(outcome=outcome, group=group, why="stale attempt", time_s=now))
            return
        self._record(CandidateEnded(outcome=outcome, group=group, time_s=now))
        self._strategy.tell(self._state.entries[outcome.candidate].candidate, outcome)

    def _record(self, event: Event) -> None:
        self._ledger.append(event)
        self._state.apply(event)


def _is_alive(pid: int, *, since: float) -> bool:
    """Does the process that reported at `since` still run? A later one with the same pid is another."""
    try:
        process = psutil.Process(pid)
        return bool(process.create_time() < since and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
