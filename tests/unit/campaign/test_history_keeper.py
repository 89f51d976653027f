"""The campaign's history: what counts, in the order of hearing, and the same after a resume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from estimator import Described, Ended, Event, Observed, Resumed, Standing
from hpc_nas.campaign.books import Books
from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.history_keeper import HistoryKeeper
from hpc_nas.campaign.losses import Loss
from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.group import protocol
from hpc_nas.records.checkpoint_files import CheckpointName
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.ledger import AttemptStarted, CandidateDrawn, CandidateEnded, LedgerWriter, read_ledger
from hpc_nas.search.strategy import Strategy
from hpc_nas.values import Candidate, Outcome, Reason, State

AUDITED = 1


class Mute(Strategy):
    """A strategy that draws empty candidates and learns nothing."""

    def ask(self, number: int) -> Candidate:
        return Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Nothing to learn."""

    def restore(self, candidate: Candidate, outcome: Outcome | None) -> None:
        """Nothing to learn."""


class Campaign:
    """Books with three candidates that run in group 0, and their history."""

    def __init__(self, path: Path):
        self.path = path
        self.ledger = LedgerWriter(path / "ledger.jsonl")
        self.keeper = keeper(path)
        self.state = CampaignState(num_candidates=3)
        for event in read_ledger(path / "ledger.jsonl").events:
            self.state.apply(event)
        self.checkpoints = path / "checkpoints"
        self.books = Books(
            self.state,
            ledger=self.ledger,
            history=self.keeper,
            checkpoints=CheckpointStore(self.checkpoints, section=CheckpointsSection()),
            strategy=Mute(),
        )

    def begin(self) -> None:
        for number in range(3):
            self.books.draw()
            self.books.start(self.state.entries[number], group=0)

    def observe(self, candidate: int, epoch: float, *, attempt: int = 0, group: int = 0) -> None:
        message = protocol.Progress(
            candidate=candidate, attempt=attempt, trainer=None, epoch=epoch, val_accuracy=50.0
        )
        self.books.observe(message, group=group)

    def save(self, candidate: int, *, attempt: int = 0, batches: int = 10) -> str:
        """What a trainer does: a checkpoint lies there."""
        self.checkpoints.mkdir(exist_ok=True)
        name = str(CheckpointName(candidate=candidate, batches=batches, attempt=attempt))
        (self.checkpoints / name).touch()
        return name

    def interrupt(
        self,
        candidate: int,
        how: Literal["paused", "drained"],
        *,
        epochs: float,
        checkpoint: str | None,
        attempt: int = 0,
    ) -> None:
        message = protocol.Interrupted(
            trainer=0,
            candidate=candidate,
            attempt=attempt,
            how=how,
            epochs=epochs,
            checkpoint=checkpoint,
        )
        self.books.interrupt(message, group=0)

    def reconcile(self) -> None:
        self.keeper.reconcile(
            self.state, can_go_on=lambda number: any(self.checkpoints.glob(f"*{number:05d}-a*"))
        )

    @property
    def told(self) -> list[str]:
        """The kinds of the ledger's events, those of the beginning left out."""
        events = read_ledger(self.path / "ledger.jsonl").events
        return [e.event for e in events if e.event not in ("candidate_drawn", "attempt_started")]

    @property
    def events(self) -> list[Event]:
        return list(self.keeper.events_since(0))


def keeper(path: Path) -> HistoryKeeper:
    return HistoryKeeper(path / "history.jsonl", is_audited=lambda number: number == AUDITED)


@contextmanager
def campaign(path: Path) -> Iterator[Campaign]:
    subject = Campaign(path)
    try:
        yield subject
    finally:
        subject.ledger.close()
        subject.keeper.close()


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Campaign]:
    with campaign(tmp_path) as made:
        made.begin()
        yield made


def outcome(
    candidate: int, state: State, *, reason: Reason, epochs: float = 1.0, attempt: int = 0
) -> Outcome:
    return Outcome(candidate=candidate, attempt=attempt, state=state, reason=reason, epochs=epochs)


def finished(candidate: int, *, epochs: float = 1.0, attempt: int = 0) -> Outcome:
    return outcome(candidate, State.FINISHED, reason=Reason.FULL_BUDGET, epochs=epochs, attempt=attempt)


def seen(candidate: int, epoch: float) -> Observed:
    return Observed(candidate=candidate, epoch=epoch, val_accuracy=50.0)


def shown(events: list[Event]) -> list[object]:
    """Observations without their NaN, which equals nothing, and ends."""
    return [
        (
            e.candidate,
            e.epoch if isinstance(e, Observed) else e.standing if isinstance(e, Ended) else "resumed",
        )
        for e in events
        if isinstance(e, Observed | Ended | Resumed)
    ]


def described(events: list[Event]) -> list[int]:
    return [event.candidate for event in events if isinstance(event, Described)]


def lost_with_its_group(*, charged: frozenset[int] = frozenset()) -> Loss:
    return Loss(message="gone", salvaged=[], charged=charged, suspects=frozenset())


def test_events_stand_in_the_order_of_hearing(subject: Campaign) -> None:
    subject.observe(2, 0.5)
    subject.observe(0, 0.5)
    subject.observe(2, 1.0)
    subject.books.take(finished(2), group=0)
    subject.books.take(outcome(0, State.STOPPED, reason=Reason.CONVERGED, epochs=0.5), group=0)
    subject.books.take(outcome(1, State.FAILED, reason=Reason.BUILD, epochs=0.0), group=0)
    assert shown(subject.events) == [
        (2, 0.5),
        (0, 0.5),
        (2, 1.0),
        (2, Standing.FINISHED),
        (0, Standing.STOPPED),
        (1, Standing.FAILED),
    ]
    audited = {event.candidate: event.audited for event in subject.events if isinstance(event, Ended)}
    assert audited == {0: False, 1: True, 2: False}


def test_candidate_is_described_when_it_is_drawn_and_once(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        assert described(first.events) == [0, 1, 2]
        first.keeper.flush()
        first.ledger.append(CandidateDrawn(candidate=Mute().ask(3), time_s=time.time()))  # and then killed
    with campaign(tmp_path) as second:
        for _ in range(2):
            second.reconcile()
            assert described(second.events) == [0, 1, 2, 3]


def test_what_does_not_count_is_left_out(subject: Campaign) -> None:
    subject.observe(0, 0.5, attempt=1)  # of another attempt
    subject.observe(0, 0.5, group=1)  # of another group
    subject.observe(7, 0.5)  # of nobody
    subject.observe(0, 0.5)
    subject.observe(0, 0.5)  # heard twice
    subject.books.take(finished(0, epochs=0.5), group=0)
    subject.observe(0, 1.0)  # over
    subject.books.take(finished(0, epochs=0.5), group=0)
    subject.books.take(finished(1, attempt=5), group=0)  # stale
    assert shown(subject.events) == [(0, 0.5), (0, Standing.FINISHED)]


def test_lost_attempt_begins_its_curve_again(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    subject.books.bury(0, lost_with_its_group())
    subject.books.start(subject.state.entries[0], group=1)
    subject.observe(0, 1.0)  # the old attempt's, late
    subject.observe(0, 0.5, attempt=1, group=1)
    subject.books.take(finished(0, epochs=0.5, attempt=1), group=1)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.LOST), (0, 0.5), (0, Standing.FINISHED)]


def test_candidate_that_crashed_for_good_has_failed(subject: Campaign) -> None:
    subject.observe(0, 0.5)
    for group in (0, 1):
        subject.books.bury(group, lost_with_its_group(charged=frozenset({0})))
        if group == 0:
            subject.books.start(subject.state.entries[0], group=1)
    assert shown(subject.events)[-1] == (0, Standing.FAILED)


def test_finished_candidate_whose_last_rows_were_never_heard_is_a_beginning(subject: Campaign) -> None:
    """Its last accuracy here is not its truth: nothing may learn from it as if it were."""
    subject.observe(0, 0.5)
    subject.books.take(finished(0, epochs=2.0), group=0)
    assert shown(subject.events) == [(0, 0.5), (0, Standing.STOPPED)]


def test_resumed_campaign_goes_on_with_its_versions(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        first.observe(0, 0.5)
        first.observe(1, 0.5)
        before = first.events
    with campaign(tmp_path) as second:
        assert repr(second.events) == repr(before)
        second.reconcile()
        assert second.keeper.version == 3 + 2  # both are in flight still: their groups' end will tell
        second.books.bury(0, lost_with_its_group())
        second.books.start(second.state.entries[1], group=1)
        second.observe(1, 0.5, attempt=1, group=1)
        assert shown(second.events)[2:] == [(0, Standing.LOST), (1, Standing.LOST), (1, 0.5)]
    assert repr(list(read_history(tmp_path / "history.jsonl").events)) == repr(second.events)


def test_killed_between_ledger_and_journal_is_made_good(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        for number in range(3):
            first.observe(number, 1.0)
        first.keeper.flush()
        # What a kill keeps from the journal.
        first.ledger.append(CandidateEnded(outcome=finished(0), group=0, time_s=time.time()))
        first.state.entries[1].state = State.QUEUED
        first.ledger.append(CandidateDrawn(candidate=Mute().ask(3), time_s=time.time()))
        first.ledger.append(AttemptStarted(candidate=3, attempt=0, group=0, time_s=time.time()))
        failed = outcome(3, State.FAILED, reason=Reason.BUILD, epochs=0.0)
        first.ledger.append(CandidateEnded(outcome=failed, group=0, time_s=time.time()))
    with campaign(tmp_path) as second:
        second.state.entries[1].state = State.QUEUED
        for _ in range(2):  # once is enough
            second.reconcile()
            assert shown(second.events)[3:] == [
                (0, Standing.FINISHED),
                (1, Standing.LOST),
                (3, Standing.FAILED),
            ]


def test_damaged_last_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    with campaign(tmp_path) as first:
        first.begin()
        first.observe(0, 0.5)
    path = tmp_path / "history.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"candidate": 0, "epo')
    with campaign(tmp_path) as second:
        assert shown(second.events) == [(0, 0.5)]
    assert path.read_bytes() == whole
