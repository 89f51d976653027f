"""The campaign's history: what each candidate is, what is observed of it and counts, how it ends; as it is heard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from estimator import Described, Ended, Event, History, InvalidObservation, Observed, Resumed, Standing
from estimator.curve import SLACK
from hpc_nas.campaign.features import features_of
from hpc_nas.campaign.state import CampaignState
from hpc_nas.errors import RecordError
from hpc_nas.group import protocol
from hpc_nas.records.history_journal import HistoryWriter, read_history
from hpc_nas.values import Candidate, Outcome, State

logger = logging.getLogger(__name__)

_STANDINGS = {
    State.FINISHED: Standing.FINISHED,
    State.STOPPED: Standing.STOPPED,
    State.FAILED: Standing.FAILED,
}
_OPEN = (Standing.RUNNING, Standing.PAUSED, Standing.LOST)


class HistoryRecorder:
    """One history for the whole campaign, and its journal; an event counts once it is in both.

    `is_audited` says of a candidate, by number, whether it is trained to the end whatever is decided. `before_write` is
    called before each write: the journal must never be ahead of the ledger, on which a resumed campaign rests. Opening
    takes up the journal that lies there: versions go on rising when a campaign is resumed.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_audited: Callable[[int], bool],
        before_write: Callable[[], None] = lambda: None,
    ):
        journal = read_history(path) if path.exists() else None
        if journal is not None and journal.damaged_tail is not None:
            logger.warning("%s: dropped a damaged last line", path)
        self._history = History(journal.events if journal is not None else ())
        self._writer = HistoryWriter(path, num_bytes=journal.num_bytes if journal is not None else 0)
        self._is_audited = is_audited
        self._before_write = before_write
        self._unwritten: set[int] = set()  # candidates of whom not everything is written yet

    @property
    def version(self) -> int:
        """The number of events."""
        return self._history.version

    @property
    def view(self) -> History:
        """The history itself, to be read."""
        return self._history

    def events_since(self, version: int, *, until: int | None = None) -> Sequence[Event]:
        """The events after that version, up to version `until` (None: all); all of them written."""
        self.flush()
        return self._history.events_since(version, until=until)

    def begin_with(self, events: Sequence[Event]) -> None:
        """The events before all others: those of earlier campaigns' candidates. What the journal has of them stays."""
        for event in events[self.version :]:
            self._take(event)

    def describe(self, candidate: Candidate) -> None:
        """A candidate was drawn: what it is, before anything is observed of it."""
        if not self._history.features_of(candidate.number):
            self._take(Described(candidate=candidate.number, features=features_of(candidate)))

    def observe(self, message: protocol.Progress) -> None:
        """Take an observation of an attempt that counts, if it is news.

        An attempt that goes on from a checkpoint tells what it carries, and repeats what was trained after it.
        One that can't be (a row before it was lost) is left out.
        """
        if not self._is_news(message):
            return
        observed = Observed(
            candidate=message.candidate,
            epoch=message.epoch,
            val_accuracy=message.val_accuracy,
            val_loss=message.val_loss,
            train_loss=message.train_loss,
            train_accuracy=message.train_accuracy,
        )
        try:
            self._take(observed)
        except InvalidObservation as error:
            logger.warning("candidate %d: not taken into the history: %s", message.candidate, error)

    def end(self, outcome: Outcome) -> None:
        """A candidate has its outcome."""
        standing = _STANDINGS[outcome.state]
        if standing is Standing.FINISHED and self._seen(outcome.candidate) < outcome.epochs - SLACK:
            # Its last observations were never heard here: the curve is no more than a beginning.
            standing = Standing.STOPPED
        self._end(outcome.candidate, standing)

    def lose(self, candidate: int) -> None:
        """The candidate will begin again; one of which nothing is known leaves no trace, nor does a second loss."""
        if self._standing(candidate) in (Standing.RUNNING, Standing.PAUSED):
            self._end(candidate, Standing.LOST)

    def pause(self, candidate: int) -> None:
        """A rule has given the candidate's trainer to another one."""
        if self._standing(candidate) is Standing.RUNNING:
            self._end(candidate, Standing.PAUSED)

    def resume(self, candidate: int) -> None:
        """The candidate goes on from a checkpoint; one that was not paused has never stood still here."""
        if self._standing(candidate) is Standing.PAUSED:
            self._take(Resumed(candidate=candidate))

    def has_heard(self, candidate: int, *, epochs: float) -> bool:
        """Is the candidate's curve known up to there? If so it is in the journal, too."""
        if candidate in self._unwritten:
            self.flush()
        return epochs > 0.0 and self._seen(candidate) >= epochs - SLACK

    def best_accuracy(self, candidate: int) -> float:
        """The best of its observations so far, in percent; it has one."""
        return self._history.members[candidate].curve.best_accuracy

    def reconcile(self, state: CampaignState, *, can_go_on: Callable[[int], bool]) -> None:
        """Catch up with the ledger, where a killed process had written there and not yet here.

        `can_go_on` says of a candidate, by number, whether it has a checkpoint.
        """
        for number in sorted(state.entries):
            entry = state.entries[number]
            self.describe(entry.candidate)
            if entry.outcome is not None:
                if self._standing(number) in (None, *_OPEN):
                    self.end(entry.outcome)
            elif entry.state is State.PAUSED:
                self.pause(number)
            else:
                self.resume(number)
                if entry.state is State.QUEUED and not can_go_on(number):
                    self.lose(number)

    def flush(self) -> None:
        """Write what is not written yet, after the ledger has written its own. Raises RecordError."""
        if self._unwritten:
            self._before_write()
        self._writer.flush()
        self._unwritten.clear()

    def close(self) -> None:
        """Write the rest and close the journal."""
        try:
            self.flush()
        except RecordError:
            self._writer.abandon()
            raise
        self._writer.close()

    def _standing(self, candidate: int) -> Standing | None:
        """None for one of which nothing but its description is known."""
        member = self._history.members.get(candidate)
        return member.standing if member is not None else None

    def _is_news(self, message: protocol.Progress) -> bool:
        begins = self._standing(message.candidate) in (None, Standing.LOST)
        return begins or message.epoch > self._seen(message.candidate) + SLACK

    def _seen(self, candidate: int) -> float:
        """Up to which epoch its observations were heard."""
        member = self._history.members.get(candidate)
        return member.curve.last_epoch if member is not None else 0.0

    def _end(self, candidate: int, standing: Standing) -> None:
        self._take(Ended(candidate=candidate, standing=standing, audited=self._is_audited(candidate)))

    def _take(self, event: Event) -> None:
        self._history.apply(event)
        self._writer.append([event])
        self._unwritten.add(event.candidate)
