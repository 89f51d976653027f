"""The campaign's loop: hears groups, hands out candidates, replaces the dead.

One turn hears all that has come, hands out, has the ledger written once, and only then answers: that its result is
taken, or that an attempt is its own, a group learns from a message that rests on what is on the disk. Under load a
turn takes up what comes in `TURN_S`, so that a thousand groups cost hardly more turns than one.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from functools import partial

from hpc_nas.campaign.alike import FailingAlike
from hpc_nas.campaign.dispatch import Dispatcher
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.losses import Loss, LossAssessor
from hpc_nas.campaign.patience import Patience
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.state import Entry
from hpc_nas.campaign.stop import WALLTIME, StopRequest
from hpc_nas.campaign.view import View
from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError, RecordError
from hpc_nas.group import protocol
from hpc_nas.platforms.processes.group_task import GroupExit
from hpc_nas.records.ledger import GroupReported, GroupStarted
from hpc_nas.values import State

logger = logging.getLogger(__name__)

POLL_MS = 100
TURN_S = 0.02
HAND_OUT_S = 0.25  # a turn hands out no longer: draws may take long, and groups wait for a sign of life
SILENT_S = 3.0  # three signs of life are missing: the group may have ended
BEAT_INTERVAL_S = 1.0
LEAVING_S = 5.0  # a group that has saved its candidates says so and ends
MAX_UNSAVED_PAUSES = 2


class ControlLoop:
    """Runs a campaign to its end, given all its parts."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        recorder: Recorder,
        endpoint: Endpoint,
        pool: GroupPool,
        losses: LossAssessor,
        dispatch: Dispatcher,
        feed: HistoryFeed,
        progress: Progress,
        chance_accuracy: float,
        view: View,
        stop: StopRequest,
        patience: Patience,
    ):
        self._configuration = configuration
        self._recorder = recorder
        self._state = recorder.state
        self._endpoint = endpoint
        self._pool = pool
        self._losses = losses
        self._dispatcher = dispatch
        self._feed = feed
        self._progress = progress
        self._welcome = protocol.Welcome(chance_accuracy=chance_accuracy)
        self._view = view
        self._stop = stop
        self._alike = FailingAlike(
            recorder.state, num_trainers=configuration.num_groups * configuration.group.trainers_per_node
        )
        self._patience = patience
        patience.meanwhile = self._show_life
        self._credits: dict[int, int] = defaultdict(int)
        self._wanting: dict[int, None] = {}  # groups that have asked for more than they were sent, in turn
        self._answers: list[tuple[int, protocol.FromCampaign]] = []  # to go out once the ledger is written
        self._assigned: list[tuple[int, Entry, protocol.Assign]] = []
        self._sent: dict[int, int] = defaultdict(int)
        self._last_heard: dict[int, float] = {}
        self._leaving: set[int] = set()  # have said goodbye: there is nobody to talk to
        self._closing = False
        self._next_beat = 0.0
        self._turn_began = 0.0

    def run(self) -> str:
        """Serve until every candidate has an outcome, a stop is requested or the allocation ends; returns why it ended.

        Raises LaunchError when groups can't be kept running, RecordError when the ledger can't be written,
        SpaceError when the strategy finds no network, TrainingError when the first candidates all fail alike.
        """
        try:
            more = False
            while not self._state.complete and self._stop.reason is None:
                self._patience.insist(self._start_missing)
                self._hear_all(hurry=more)
                self._alike.check()
                more = self._dispatch()
                self._dispatcher.settle()
                self._answer()
                if not more:
                    self._dispatcher.draw_ahead()
                if self._dispatcher.is_out_of_time:
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

    def _hear_all(self, *, hurry: bool) -> None:
        """The first half of a turn: what has come. `hurry`: there is more to hand out, and nothing to wait for."""
        if not hurry and (left_s := self._turn_began + TURN_S - time.monotonic()) > 0:
            time.sleep(left_s)
        self._turn_began = time.monotonic()
        for group, message in self._endpoint.poll(0 if hurry else POLL_MS):
            self._hear(group, message)
        for group, exit, error in self._pool.take_ended():
            self._on_group_end(group, exit, error=error)

    def _answer(self) -> None:
        """The second half: what was heard and handed out stands in the ledger, and those whom it concerns are told."""
        self._patience.insist(self._recorder.commit)
        for group, answer in self._answers:
            self._endpoint.send(group, answer)
        self._answers.clear()
        for group, entry, message in self._assigned:
            if not self._endpoint.send(group, message):
                self._recorder.lose(entry, group=group, message="the assignment could not be sent")
        self._assigned.clear()
        self._patience.insist(self._feed.turn)
        if self._show_life() and not self._closing:
            # What is lost on the way out ends nothing: `_close` has its own limit.
            self._check_groups(time.monotonic())
        self._view.update(self._state, self._progress)

    def _show_life(self) -> bool:
        """A sign of life to every group, if it is time."""
        now = time.monotonic()
        if now < self._next_beat:
            return False
        self._next_beat = now + BEAT_INTERVAL_S
        beat = protocol.Beat()
        for group in self._last_heard.keys() - self._leaving:
            self._endpoint.send(group, beat)
        return True

    def _check_groups(self, now: float) -> None:
        silent = {group for group, heard in self._last_heard.items() if now - heard > SILENT_S}
        for group in silent:
            self._pool.expect_end(group)
        self._pool.calm(self._last_heard.keys() - silent - self._leaving)
        self._pool.check_interchange()
        self._pool.check_overdue(set(self._last_heard))
        # Its agent ends a group that is silent for the grace time, and Parsl then tells so.
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
            # A group of an earlier campaign: its results are taken, it is told to leave.
            self._endpoint.send(group, protocol.Leave(reason="another campaign process has taken over"))
            return
        if isinstance(message, protocol.Hello):
            self._on_hello(group, message)
        elif isinstance(message, protocol.Beat):
            self._credits[group] = message.credits
            self._ask(group)
            self._feed.heard(group, version=message.history_version)
        elif isinstance(message, protocol.Ready):
            self._progress.group_ready(group, message.devices)
        elif isinstance(message, protocol.Started):
            self._pool.mark_begun(group)
            self._losses.started(group, message.trainer, candidate=message.candidate)
            self._dispatcher.started(message)
            self._progress.started(group, message)
        elif isinstance(message, protocol.Progress):
            if not message.carried:  # else nothing was trained there yet
                self._pool.mark_observed(group)
                self._alike.observed()
            self._recorder.observe(message, group=group)
            self._progress.observed(group, message)
        elif isinstance(message, protocol.Trouble):
            self._stop.request(f"group {group} is in trouble: {message.message}")
        elif isinstance(message, protocol.Goodbye):
            logger.info("group %d leaves: %s", group, message.reason)
            self._credits[group] = 0
            self._ask(group)
            self._leaving.add(group)
            self._pool.expect_end(group)
        if group in self._last_heard:
            self._last_heard[group] = time.monotonic()

    def _on_hello(self, group: int, message: protocol.Hello) -> None:
        self._endpoint.send(group, self._welcome)
        if group in self._last_heard:
            return  # it greets at every address
        self._last_heard[group] = time.monotonic()
        self._pool.host_of(group, message.host)
        self._dispatcher.group_reported(group, deadline_time=message.deadline_time)
        trainers = self._configuration.group.trainers_per_node
        self._recorder.record(
            GroupReported(
                group=group, host=message.host, pid=message.pid, num_trainers=trainers, time_s=time.time()
            )
        )

    def _on_ended(self, group: int, message: protocol.Ended) -> None:
        self._progress.ended(group, message)
        self._losses.ended(group, message.trainer, candidate=message.outcome.candidate)
        if message.outcome.state in (State.FINISHED, State.STOPPED):
            self._dispatcher.left(message.outcome.candidate, message.outcome.attempt)
        self._patience.insist(partial(self._recorder.take, message.outcome, group=group))
        self._pool.mark_outcome()
        self._acknowledge(group, message.outcome.candidate, attempt=message.outcome.attempt)

    def _on_interrupted(self, group: int, message: protocol.Interrupted) -> None:
        self._progress.interrupted(group, message)
        self._losses.ended(group, message.trainer, candidate=message.candidate)
        self._patience.insist(partial(self._recorder.interrupt, message, group=group))
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
        """Not now: once it stands in the ledger."""
        self._answers.append((group, protocol.Acknowledge(candidate=candidate, attempt=attempt)))

    # --- handing out -------------------------------------------------------------------------------------

    def _ask(self, group: int) -> None:
        """Does this group ask for more?"""
        if group in self._pool.running and self._credits[group] > self._sent[group]:
            self._wanting.setdefault(group)
        else:
            self._wanting.pop(group, None)

    def _dispatch(self) -> bool:
        """At most one candidate for each group, so that a slow draw holds no other message up; more to do?"""
        handed_out = False
        until = time.monotonic() + HAND_OUT_S
        for group in list(self._wanting):
            entry = self._dispatcher.next_for(group)
            if entry is None:
                if self._dispatcher.is_empty:
                    break
                continue
            checkpoint = self._patience.insist(partial(self._recorder.start, entry, group=group))
            self._sent[group] += 1
            assignment = protocol.Assignment(
                candidate=entry.candidate, attempt=entry.attempt, checkpoint=checkpoint
            )
            self._assigned.append((group, entry, protocol.Assign(assignments=[assignment])))
            del self._wanting[group]
            self._ask(group)  # behind all others
            handed_out = True
            if time.monotonic() > until:
                break
        return handed_out

    # --- groups that start and end -----------------------------------------------------------------------

    def _start_missing(self) -> None:
        self._pool.start_missing(before_start=self._on_group_start)

    def _on_group_start(self, groups: list[int]) -> None:
        """Before they are launched: a campaign that comes after this one must know of them."""
        for group in groups:
            if group not in self._state.open_groups:
                self._recorder.record(GroupStarted(group=group, time_s=time.time()))
        self._recorder.commit()

    def _on_group_end(self, group: int, exit: GroupExit | None, *, error: str) -> None:
        loss = self._loss_of(group, exit, error=error)
        loss = loss.forgiven() if self._closing else loss
        self._patience.insist(partial(self._recorder.group_ended, group, loss))
        self._wanting.pop(group, None)
        self._last_heard.pop(group, None)
        self._leaving.discard(group)
        self._feed.forget(group)
        self._progress.group_gone(group)
        if not self._closing:
            self._pool.back_off(group, message=loss.message)

    def _loss_of(self, group: int, exit: GroupExit | None, *, error: str) -> Loss:
        """What its end means. What a group has left and nobody can read is told, and ends no other."""
        in_flight = self._state.attempts_in_flight(group)
        examine = partial(
            self._losses.examine,
            group,
            num_trainers=self._configuration.group.trainers_per_node,
            in_flight=in_flight,
            exit=exit,
            error=error,
        )
        try:
            return self._patience.insist(examine)
        except (OSError, RecordError) as problem:
            logger.warning("group %d: what it has left can't be read: %s", group, problem)
            nobody: frozenset[int] = frozenset()
            message = f"group {group} has ended, and what it has left can't be read: {problem}"
            return Loss(message=message, recovered=[], charged=nobody, quarantined=nobody)

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
            self._hear_all(hurry=False)
            self._answer()

    def _send_away(self, reason: str) -> None:
        leave = protocol.Leave(reason=reason[:1000])
        for group in self._pool.running:
            if group not in self._leaving:
                self._endpoint.send(group, leave)
