"""Records what happens: ledger, state, history and strategy, in step. Everything that counts goes through here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.losses import Loss
from hpc_nas.campaign.pauses import tell_pause
from hpc_nas.campaign.state import CampaignState, Entry
from hpc_nas.group import protocol
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupEnded,
    InterruptionIgnored,
    LedgerWriter,
    ResultIgnored,
    SpaceExhausted,
)
from hpc_nas.search.strategy import NothingLeft, Strategy, Supply
from hpc_nas.values import Outcome, State

logger = logging.getLogger(__name__)


class Recorder:
    """First the ledger, then the standing, the history and the strategy.

    The ledger's lines reach the disk with `commit`, many at once. Until then this process alone knows of them: no group
    may hear of what they say (that its result is taken, that an attempt is its own), nothing that a resumed campaign
    would need is removed, and the history's journal waits (`HistoryRecorder`). A process that is killed before has, for
    all others, never heard of them: groups tell their results again, and what was handed out was not.

    Where the disk does not answer, `start`, `take`, `interrupt`, `group_ended` and `commit` raise RecordError and may
    be called again: what they had done by then is not done twice.

    `on_outcome` hears of each outcome that counts.
    """

    def __init__(
        self,
        state: CampaignState,
        *,
        ledger: LedgerWriter,
        history: HistoryRecorder,
        checkpoints: CheckpointStore,
        strategy: Strategy,
        on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    ):
        self.state = state
        self._ledger = ledger
        self._history = history
        self._checkpoints = checkpoints
        self._strategy = strategy
        self._on_outcome = on_outcome

    def record(self, event: Event) -> None:
        """Take an event into account; it stands in the ledger after the next `commit`."""
        self._ledger.add(event)
        self.state.apply(event)

    def commit(self) -> None:
        """Have everything recorded so far on the disk. Raises RecordError; it may be called again then."""
        self._ledger.sync()
        self._checkpoints.tidy()

    @property
    def supply(self) -> Supply:
        """Has the strategy a candidate to give?"""
        return self._strategy.supply if self.state.num_new else Supply.EXHAUSTED

    def exhaust(self) -> None:
        """The strategy has none left: the campaign is over with those that were drawn."""
        num_drawn = self.state.num_drawn
        logger.warning("the space is exhausted: %d candidates are all that the strategy has", num_drawn)
        self.record(SpaceExhausted(num_candidates=num_drawn, time_s=time.time()))

    def draw(self) -> Entry | None:
        """The strategy's next candidate; None if it turns out to have none left, which is recorded.

        Raises SpaceError where the space yields none at all.
        """
        number = self.state.num_drawn
        try:
            candidate = self._strategy.ask(number)
        except NothingLeft as error:
            logger.info("%s", error)
            self.exhaust()
            return None
        self.record(CandidateDrawn(candidate=candidate, time_s=time.time()))
        entry = self.state.entries[number]
        self._history.describe(entry.candidate)
        return entry

    def start(self, entry: Entry, *, group: int) -> str | None:
        """The candidate's next attempt begins in this group; returns the checkpoint that it goes on from."""
        number = entry.candidate.number
        checkpoint = self._checkpoints.latest(number, known=entry.checkpoint) if entry.attempt >= 0 else None
        self.record(
            AttemptStarted(
                candidate=number,
                attempt=entry.attempt + 1,
                group=group,
                checkpoint=checkpoint,
                time_s=time.time(),
            )
        )
        if checkpoint is not None:
            self._history.resume(number)
        else:
            self._history.lose(number)
        return checkpoint

    def observe(self, message: protocol.Progress, *, group: int) -> None:
        """A group has made an observation: it goes into the history if its attempt counts."""
        if self.state.counts(message.candidate, attempt=message.attempt, group=group):
            self._history.observe(message)

    def take(self, outcome: Outcome, *, group: int) -> None:
        """A group says how an attempt ended: it counts, is stale, is old news, or is to be run again."""
        entry = self.state.entries.get(outcome.candidate)
        if entry is None or not self.state.is_current(outcome.candidate, attempt=outcome.attempt):
            if entry is None or entry.outcome != outcome:  # the same news twice is no news
                self.record(
                    ResultIgnored(outcome=outcome, group=group, why="stale attempt", time_s=time.time())
                )
        elif outcome.state is State.CANCELLED:
            # Interrupted, not judged: it runs again if the campaign is resumed.
            self.lose(entry, group=group, message="interrupted")
        else:
            self._end(entry, outcome, group=group)

    def interrupt(self, message: protocol.Interrupted, *, group: int) -> None:
        """An attempt was set aside: it waits to be promoted or to go on at once, is stale, or is old news.

        A pause is one only if the campaign has heard the curve that it rests on; else the candidate goes on.
        """
        number = message.candidate
        if not self.state.is_current(number, attempt=message.attempt):
            self._ignore(message, group=group)
            return
        how, text = message.how, message.message
        if how == "paused" and not self._history.has_heard(number, epochs=message.epochs):
            how, text = "drained", "paused, but not all of its observations were heard: it goes on"
        interruption = AttemptInterrupted(
            candidate=number,
            attempt=message.attempt,
            group=group,
            how=how,
            epochs=message.epochs,
            best_accuracy=self._history.best_accuracy(number) if how == "paused" else None,
            checkpoint=message.checkpoint,
            message=text,
            time_s=time.time(),
        )
        paused = how == "paused" and message.checkpoint is not None
        goes_on = paused or self._checkpoints.latest(number, known=message.checkpoint) is not None
        self.record(interruption)
        if text:
            logger.warning("candidate %d attempt %d %s: %s", number, message.attempt, how, text)
        if self.state.entries[number].state is State.PAUSED:
            self._history.pause(number)
            tell_pause(interruption, self.state, self._strategy)
        elif not goes_on:
            self._history.lose(number)

    def _ignore(self, message: protocol.Interrupted, *, group: int) -> None:
        entry = self.state.entries.get(message.candidate)
        if entry is not None and entry.interrupted == message.attempt:
            return  # the same news twice is no news
        self.record(
            InterruptionIgnored(
                candidate=message.candidate,
                attempt=message.attempt,
                group=group,
                how=message.how,
                checkpoint=message.checkpoint,
                why="stale attempt",
                time_s=time.time(),
            )
        )
        if entry is not None and entry.outcome is not None:
            self._checkpoints.remove(message.candidate)

    def settle(self, outcomes: list[Outcome]) -> None:
        """The search is over: what is still paused has these outcomes."""
        version = self._history.version
        for outcome in outcomes:
            entry = self.state.entries[outcome.candidate]
            self._end(entry, outcome, group=entry.group, history_version=version)

    def lose(
        self, entry: Entry, *, group: int, message: str, charged: bool = False, quarantined: bool = False
    ) -> None:
        """An attempt is lost: the candidate waits again, or ends as crashed if it has been charged twice.

        In the history it runs on if it has a checkpoint to go on from.
        """
        number = entry.candidate.number
        goes_on = self._checkpoints.latest(number) is not None
        self.record(
            AttemptLost(
                candidate=number,
                attempt=entry.attempt,
                group=group,
                message=message,
                charged=charged,
                quarantined=quarantined,
                time_s=time.time(),
            )
        )
        if not goes_on:
            self._history.lose(number)
        if charged:
            logger.warning("candidate %d is charged for the loss of group %d: %s", number, group, message)
        if not self.state.may_run_again(number):
            self._end(entry, self.state.crashed(number, message=message), group=group)

    def group_ended(self, group: int, loss: Loss) -> None:
        """A group has ended: take what it finished, queue again what it lost, charge the attributed."""
        for ending in loss.recovered:
            if not self.state.is_current(ending.candidate, attempt=ending.attempt):
                continue
            if isinstance(ending, Outcome):
                self.take(ending, group=group)
            elif ending.checkpoint is not None and self._checkpoints.holds(ending.checkpoint):
                self.interrupt(ending, group=group)
        for entry in self.state.in_flight(group):
            number = entry.candidate.number
            self.lose(
                entry,
                group=group,
                message=loss.message,
                charged=number in loss.charged,
                quarantined=number in loss.quarantined,
            )
        self.record(GroupEnded(group=group, reason=loss.message, time_s=time.time()))

    def _end(self, entry: Entry, outcome: Outcome, *, group: int, history_version: int | None = None) -> None:
        self.record(
            CandidateEnded(outcome=outcome, group=group, history_version=history_version, time_s=time.time())
        )
        self._history.end(outcome)
        self._checkpoints.remove(outcome.candidate)
        self._strategy.tell(entry.candidate, outcome)
        self._on_outcome(outcome)
