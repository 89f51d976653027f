"""The campaign's loop: hears groups, hands out candidates, replaces the dead."""

from __future__ import annotations

import logging
import time
from collections import defaultdict

from hpc_nas.campaign.books import Books
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.handout import HandOut
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.stop import WALLTIME, StopRequest
from hpc_nas.campaign.view import View
from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.group import protocol
from hpc_nas.platforms.supervisor import GroupExit
from hpc_nas.records.ledger import GroupReported, GroupStarted
from hpc_nas.values import State

logger = logging.getLogger(__name__)

POLL_MS = 100
BEAT_INTERVAL_S = 1.0
LEAVING_S = 5.0  # a group that has saved its candidates says so and ends
MAX_UNSAVED_PAUSES = 2


class Conductor:
    """Runs a campaign to its end, given all its parts."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        books: Books,
        endpoint: Endpoint,
        pool: GroupPool,
        losses: LossAssessor,
        handout: HandOut,
        feed: HistoryFeed,
        progress: Progress,
        chance_accuracy: float,
        view: View,
        stop: StopRequest,
    ):
        self._configuration = configuration
        self._books = books
        self._state = books.state
        self._endpoint = endpoint
        self._pool = pool
        self._losses = losses
        self._handout = handout
        self._feed = feed
        self._progress = progress
        self._welcome = protocol.Welcome(chance_accuracy=chance_accuracy)
        self._view = view
        self._stop = stop
        self._credits: dict[int, int] = defaultdict(int)
        self._sent: dict[int, int] = defaultdict(int)
        self._last_heard: dict[int, float] = {}
        self._leaving: set[int] = set()  # have said goodbye: there is nobody to talk to
        self._closing = False
        self._next_beat = 0.0

    def run(self) -> str:
        """Serve until every candidate has an outcome, a stop is requested or the allocation ends; returns why it ended.

        Raises LaunchError when groups can't be kept running, RecordError when the ledger can't be written,
        SpaceError when the strategy finds no network.
        """
        try:
            credits_open = False
            while not self._state.complete and self._stop.reason is None:
                self._pool.start_missing(before_start=self._on_group_start)
                self._turn(0 if credits_open else POLL_MS)
                credits_open = self._dispatch()
                if not credits_open:
                    self._handout.draw_ahead()
                self._handout.settle()
                if self._handout.is_out_of_time:
                    self._stop.request(WALLTIME)
        except BaseException as error:
            self._progress.stopping = type(error).__name__
            # The groups must not learn of it by silence alone.
            self._send_away(f"{type(error).__name__}: {error}")
            raise
        reason = "complete" if self._state.complete else self._stop.reason or "complete"
        self._progress.stopping = reason
        self._close(reason)
        return reason

    def _turn(self, timeout_ms: int) -> None:
        for group, message in self._endpoint.poll(timeout_ms):
            self._hear(group, message)
        for group, exit, error in self._pool.take_ended():
            self._on_group_end(group, exit, error=error)
        self._feed.turn()
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_INTERVAL_S
            for group in self._last_heard.keys() - self._leaving:
                self._endpoint.send(group, protocol.Beat())
            if not self._closing:  # what is lost on the way out ends nothing: `_close` has its own limit
                self._check_groups(now)
        self._view.update(self._state, self._progress)

    def _check_groups(self, now: float) -> None:
        self._pool.check_interchange()
        self._pool.check_overdue(set(self._last_heard))
        # Its keeper ends a group that is silent for the grace time, and Parsl then tells so.
        limit_s = 2 * self._configuration.group.orphan_grace_s
        for group, heard in self._last_heard.items():
            if now - heard > limit_s:
                raise LaunchError(
                    f"group {group} has been silent for {now - heard:.0f} s and Parsl has not reported its end; "
                    "resume the campaign with hpc-nas run --resume"
                )

    def _hear(self, group: int, message: protocol.FromGroup) -> None:
        if isinstance(message, protocol.Ended):
            self._on_ended(group, message)
        elif isinstance(message, protocol.Interrupted):
            self._on_interrupted(group, message)
        elif group not in self._pool.running:
            # A group of an earlier campaign: its results are taken, it is sent away.
            self._endpoint.send(group, protocol.Leave(reason="another campaign process has taken over"))
            return
        if isinstance(message, protocol.Hello):
            self._on_hello(group, message)
        elif isinstance(message, protocol.Beat):
            self._credits[group] = message.credits
            self._feed.heard(group, version=message.history_version)
        elif isinstance(message, protocol.Ready):
            self._progress.group_ready(group, message.devices)
        elif isinstance(message, protocol.Started):
            self._pool.mark_begun(group)
            self._losses.started(group, message.trainer, candidate=message.candidate)
            self._handout.started(message)
            self._progress.started(group, message)
        elif isinstance(message, protocol.Progress):
            if not message.carried:  # else nothing was trained there yet
                self._pool.mark_observed(group)
            self._books.observe(message, group=group)
            self._progress.observed(group, message)
        elif isinstance(message, protocol.Trouble):
            self._stop.request(f"group {group} is in trouble: {message.message}")
        elif isinstance(message, protocol.Goodbye):
            logger.info("group %d leaves: %s", group, message.reason)
            self._credits[group] = 0
            self._leaving.add(group)
        if group in self._last_heard:
            self._last_heard[group] = time.monotonic()

    def _on_hello(self, group: int, message: protocol.Hello) -> None:
        self._endpoint.send(group, self._welcome)
        if group in self._last_heard:
            return  # it greets at every address
        self._last_heard[group] = time.monotonic()
        self._pool.host_of(group, message.host)
        self._handout.group_reported(group, deadline_time=message.deadline_time)
        trainers = self._configuration.group.trainers_per_node
        self._books.record(
            GroupReported(
                group=group, host=message.host, pid=message.pid, num_trainers=trainers, time_s=time.time()
            )
        )

    def _on_ended(self, group: int, message: protocol.Ended) -> None:
        self._progress.ended(group, message)
        self._losses.ended(group, message.trainer, candidate=message.outcome.candidate)
        if message.outcome.state in (State.FINISHED, State.STOPPED):
            self._handout.left(message.outcome.candidate, message.outcome.attempt)
        self._books.take(message.outcome, group=group)
        self._pool.mark_outcome()
        self._acknowledge(group, message.outcome.candidate, attempt=message.outcome.attempt)

    def _on_interrupted(self, group: int, message: protocol.Interrupted) -> None:
        self._progress.interrupted(group, message)
        self._losses.ended(group, message.trainer, candidate=message.candidate)
        self._books.interrupt(message, group=group)
        self._pool.mark_outcome()
        self._acknowledge(group, message.candidate, attempt=message.attempt)
        entry = self._state.entries.get(message.candidate)
        in_vain = message.how == "paused" and message.checkpoint is None
        if entry is not None and in_vain and entry.unsaved_pauses >= MAX_UNSAVED_PAUSES:
            self._stop.request(
                f"candidate {message.candidate} was paused {entry.unsaved_pauses} times and its checkpoint could "
                f"not be written: {message.message}"
            )

    def _acknowledge(self, group: int, candidate: int, *, attempt: int) -> None:
        """Only now: it stands in the ledger."""
        self._endpoint.send(group, protocol.Acknowledge(candidate=candidate, attempt=attempt))

    # --- handing out -------------------------------------------------------------------------------------

    def _dispatch(self) -> bool:
        """At most one candidate for each group, so that a slow draw holds no other message up; more to do?"""
        handed_out = False
        for group in self._pool.running:
            if self._credits[group] <= self._sent[group]:
                continue
            entry = self._handout.next_for(group)
            if entry is None:
                continue
            checkpoint = self._books.start(entry, group=group)
            self._sent[group] += 1
            assignment = protocol.Assignment(
                candidate=entry.candidate, attempt=entry.attempt, checkpoint=checkpoint
            )
            if not self._endpoint.send(group, protocol.Assign(assignments=[assignment])):
                self._books.lose(entry, group=group, message="the assignment could not be sent")
            handed_out = True
        return handed_out

    # --- groups that start and end -----------------------------------------------------------------------

    def _on_group_start(self, group: int) -> None:
        self._books.record(GroupStarted(group=group, time_s=time.time()))

    def _on_group_end(self, group: int, exit: GroupExit | None, *, error: str) -> None:
        in_flight = self._state.attempts_in_flight(group)
        loss = self._losses.examine(group, in_flight=in_flight, exit=exit, error=error)
        self._books.bury(group, loss.forgiven() if self._closing else loss)
        self._last_heard.pop(group, None)
        self._leaving.discard(group)
        self._feed.forget(group)
        self._progress.group_gone(group)
        if not self._closing:
            self._pool.back_off(group, message=loss.message)

    def _close(self, reason: str) -> None:
        """Send all groups away and hear them out; one that never reported may wait for the place of a lost node."""
        self._closing = True
        section = self._configuration.group
        limit_s = max(section.orphan_grace_s, section.drain_s + LEAVING_S)
        begun, next_word = time.monotonic(), 0.0
        while self._pool.running and time.monotonic() < begun + (limit_s if self._last_heard else LEAVING_S):
            if time.monotonic() >= next_word:  # again and again: a message may be lost
                next_word = time.monotonic() + BEAT_INTERVAL_S
                self._send_away(reason)
            self._turn(POLL_MS)

    def _send_away(self, reason: str) -> None:
        for group in self._pool.running:
            if group not in self._leaving:
                self._endpoint.send(group, protocol.Leave(reason=reason[:1000]))
