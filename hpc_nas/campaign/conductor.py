"""The campaign's loop: hears groups, hands out candidates, writes the ledger, replaces the dead."""

from __future__ import annotations

import logging
import time
from collections import defaultdict

from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.losses import Loss, LossAssessor
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.state import CampaignState, Entry
from hpc_nas.campaign.view import View
from hpc_nas.configuration import Configuration
from hpc_nas.group import protocol
from hpc_nas.records.ledger import (
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupEnded,
    GroupReported,
    GroupStarted,
    LedgerWriter,
    ResultIgnored,
)
from hpc_nas.search.strategy import Strategy
from hpc_nas.values import Outcome, State

logger = logging.getLogger(__name__)

POLL_MS = 100
BEAT_INTERVAL_S = 1.0


class Conductor:
    """Runs a campaign to its end, given all its parts. `request_stop` may be called from a signal handler."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        state: CampaignState,
        ledger: LedgerWriter,
        strategy: Strategy,
        endpoint: Endpoint,
        pool: GroupPool,
        losses: LossAssessor,
        chance_accuracy: float,
        view: View,
    ):
        self._configuration = configuration
        self._state = state
        self._ledger = ledger
        self._strategy = strategy
        self._endpoint = endpoint
        self._pool = pool
        self._losses = losses
        self._welcome = protocol.Welcome(chance_accuracy=chance_accuracy)
        self._view = view
        self._progress = Progress(max_epochs=configuration.max_epochs)
        for entry in state.entries.values():
            if entry.outcome is not None:
                self._progress.outcome(entry.outcome, restored=True)
        self._credits: dict[int, int] = defaultdict(int)
        self._sent: dict[int, int] = defaultdict(int)
        self._heard: set[int] = set()
        self._stop_reason: str | None = None
        self._closing = False
        self._next_beat = 0.0

    def request_stop(self, reason: str) -> None:
        """Stop in order at the next turn of the loop; the first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason

    def run(self) -> str:
        """Serve until every candidate has an outcome or a stop is requested; returns why it ended."""
        try:
            self._draw_first()
            while not self._state.complete and self._stop_reason is None:
                self._pool.start_missing(before_start=self._on_group_start)
                self._pool.check_overdue(self._heard)
                self._turn(POLL_MS)
                self._dispatch()
            if self._stop_reason is None:
                self._stop_reason = "complete"
        except BaseException as error:
            # The groups must not learn of it by silence alone.
            self.request_stop(f"{type(error).__name__}: {error}")
            self._send_away(self._stop_reason or "")
            raise
        self._close(self._stop_reason)
        return self._stop_reason

    # --- one turn ----------------------------------------------------------------------------------------

    def _turn(self, timeout_ms: int) -> None:
        for group, message in self._endpoint.poll(timeout_ms):
            self._hear(group, message)
        for group, exit, error in self._pool.take_ended():
            in_flight = [entry.candidate.number for entry in self._state.in_flight(group)]
            self._bury(group, self._losses.examine(group, in_flight=in_flight, exit=exit, error=error))
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_INTERVAL_S
            for group in self._heard:
                self._endpoint.send(group, protocol.Beat())
        self._view.update(self._state, self._progress)

    def _hear(self, group: int, message: protocol.FromGroup) -> None:
        if isinstance(message, protocol.Ended):
            self._on_ended(group, message)
        elif group not in self._pool.running:
            # A group of an earlier campaign: its results are taken, it is sent away.
            self._endpoint.send(group, protocol.Leave(reason="another campaign process has taken over"))
        elif isinstance(message, protocol.Hello):
            self._endpoint.send(group, self._welcome)
            if group in self._heard:
                return  # it greets at every address
            self._heard.add(group)
            self._record(
                GroupReported(
                    group=group,
                    host=message.host,
                    pid=message.pid,
                    num_trainers=self._configuration.group.trainers_per_node,
                    time_s=time.time(),
                )
            )
        elif isinstance(message, protocol.Beat):
            self._credits[group] = message.credits
        elif isinstance(message, protocol.Ready):
            self._progress.group_ready(group, message.devices)
        elif isinstance(message, protocol.Started):
            self._pool.mark_fruitful(group)
            self._losses.started(group, message.trainer, candidate=message.candidate)
            self._progress.started(group, message)
        elif isinstance(message, protocol.Progress):
            self._progress.observed(group, message)
        elif isinstance(message, protocol.Trouble):
            self.request_stop(f"group {group} can't write its records: {message.message}")

    def _on_ended(self, group: int, message: protocol.Ended) -> None:
        self._progress.ended(group, message)
        self._losses.ended(group, message.trainer, candidate=message.outcome.candidate)
        self._take_outcome(group, message.outcome)
        self._endpoint.send(
            group,
            protocol.Acknowledge(candidate=message.outcome.candidate, attempt=message.outcome.attempt),
        )

    def _take_outcome(self, group: int, outcome: Outcome) -> None:
        now = time.time()
        if not self._state.is_current(outcome):
            entry = self._state.entries.get(outcome.candidate)
            if entry is None or entry.outcome != outcome:  # the same news twice is no news
                self._record(ResultIgnored(outcome=outcome, group=group, why="stale attempt", time_s=now))
        elif outcome.state is State.CANCELLED:
            # Interrupted, not judged: it runs again if the campaign is resumed.
            self._lose(group, self._state.entries[outcome.candidate], message="interrupted")
        else:
            self._record(CandidateEnded(outcome=outcome, group=group, time_s=now))
            self._strategy.tell(self._state.entries[outcome.candidate].candidate, outcome)
            self._progress.outcome(outcome)

    # --- handing out -------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        for group in self._pool.running:
            while self._credits[group] > self._sent[group]:
                entry = self._next_for(group)
                if entry is None:
                    break
                attempt = entry.attempt + 1
                self._record(
                    AttemptStarted(
                        candidate=entry.candidate.number, attempt=attempt, group=group, time_s=time.time()
                    )
                )
                self._sent[group] += 1
                assignment = protocol.Assignment(candidate=entry.candidate, attempt=attempt)
                self._endpoint.send(group, protocol.Assign(assignments=[assignment]))

    def _draw_first(self) -> None:
        """One candidate before any group is started: the first draw may load much, and groups wait for no one."""
        if self._state.num_drawn == 0:
            self._draw()

    def _draw(self) -> Entry:
        number = self._state.num_drawn
        self._record(CandidateDrawn(candidate=self._strategy.ask(number), time_s=time.time()))
        return self._state.entries[number]

    def _next_for(self, group: int) -> Entry | None:
        """Suspects run alone in their group; then come those that wait for another attempt, then new ones."""
        in_flight = self._state.in_flight(group)
        if any(entry.suspect for entry in in_flight):
            return None
        if (suspect := self._state.next_queued(suspect=True)) is not None and not in_flight:
            return suspect
        if (waiting := self._state.next_queued(suspect=False)) is not None:
            return waiting
        if self._state.num_drawn >= self._configuration.campaign.num_candidates:
            return None
        return self._draw()

    # --- groups that start and end -----------------------------------------------------------------------

    def _on_group_start(self, group: int) -> None:
        self._record(GroupStarted(group=group, time_s=time.time()))

    def _bury(self, group: int, loss: Loss) -> None:
        """A group has ended: take what it finished, queue again what it lost, charge the culprit."""
        for outcome in loss.salvaged:
            if self._state.is_current(outcome):
                self._take_outcome(group, outcome)
        for entry in self._state.in_flight(group):
            number = entry.candidate.number
            self._lose(
                group,
                entry,
                message=loss.message,
                charged=number in loss.charged and not self._closing,
                suspect=number in loss.suspects and not self._closing,
            )
        self._record(GroupEnded(group=group, reason=loss.message, time_s=time.time()))
        self._heard.discard(group)
        self._progress.group_gone(group)
        if not self._closing:
            self._pool.back_off(group, message=loss.message)

    def _lose(
        self, group: int, entry: Entry, *, message: str, charged: bool = False, suspect: bool = False
    ) -> None:
        number = entry.candidate.number
        self._record(
            AttemptLost(
                candidate=number,
                attempt=entry.attempt,
                group=group,
                message=message,
                charged=charged,
                suspect=suspect,
                time_s=time.time(),
            )
        )
        if charged:
            logger.warning("candidate %d is charged for the loss of group %d: %s", number, group, message)
        if not self._state.may_run_again(number):
            outcome = self._state.crashed(number, message=message)
            self._record(CandidateEnded(outcome=outcome, group=group, time_s=time.time()))
            self._strategy.tell(entry.candidate, outcome)
            self._progress.outcome(outcome)

    def _close(self, reason: str) -> None:
        """Send all groups away and hear them out."""
        self._closing = True
        self._send_away(reason)
        deadline = time.monotonic() + self._configuration.group.orphan_grace_s
        while self._pool.running and time.monotonic() < deadline:
            self._turn(POLL_MS)
            if self._pool.running:
                self._send_away(reason)

    def _send_away(self, reason: str) -> None:
        for group in self._pool.running:
            self._endpoint.send(group, protocol.Leave(reason=reason[:1000]))

    def _record(self, event: Event) -> None:
        self._ledger.append(event)
        self._state.apply(event)
