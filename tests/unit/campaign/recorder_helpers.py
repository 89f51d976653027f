"""A recorder with three candidates in group 0, for the tests of history and recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from estimator import Described, Ended, Event, Observed, Resumed
from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.losses import Loss
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.group import protocol
from hpc_nas.records.checkpoint_files import CheckpointName
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.ledger import (
    LedgerWriter,
    read_ledger,
)
from hpc_nas.search.strategy import NothingLeft, Strategy
from hpc_nas.values import Candidate, Outcome, Reason, State

AUDITED = 1


class Listener(Strategy):
    """Draws empty candidates, `num_networks` at most, and keeps what it hears."""

    def __init__(self, *, num_networks: int = 1000) -> None:
        self.num_networks = num_networks
        self.heard: list[tuple[object, ...]] = []

    def ask(self, number: int) -> Candidate:
        if number >= self.num_networks:
            raise NothingLeft("what is left has collapsed")
        self.heard.append(("drawn", number))
        return Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        self.heard.append(("ended", candidate.number))

    def restore(self, candidate: Candidate) -> None:
        self.heard.append(("drawn", candidate.number))

    def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None:
        self.heard.append(("paused", candidate.number, epochs, accuracy))

    def learn(self, candidate: Candidate, outcome: Outcome) -> None:
        """Nothing to learn."""


class Campaign:
    """Recorder with three candidates that run in group 0, and their history."""

    def __init__(self, path: Path, *, strategy: Listener | None = None):
        self.path = path
        self.strategy = strategy or Listener()
        self.ledger = LedgerWriter(path / "ledger.jsonl")
        self.agent = agent(path, before_write=self.ledger.sync)
        self.state = CampaignState(num_candidates=3)
        for event in read_ledger(path / "ledger.jsonl").events:
            self.state.apply(event)
        self.checkpoints = path / "checkpoints"
        self.recorder = Recorder(
            self.state,
            ledger=self.ledger,
            history=self.agent,
            checkpoints=CheckpointStore(self.checkpoints, section=CheckpointsSection()),
            strategy=self.strategy,
        )

    def begin(self) -> None:
        for number in range(3):
            self.recorder.draw()
            self.recorder.start(self.state.entries[number], group=0)

    def observe(
        self, candidate: int, epoch: float, *, attempt: int = 0, group: int = 0, accuracy: float = 50.0
    ) -> None:
        message = protocol.Progress(
            candidate=candidate, attempt=attempt, trainer=None, epoch=epoch, val_accuracy=accuracy
        )
        self.recorder.observe(message, group=group)

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
        self.recorder.interrupt(message, group=0)

    def reconcile(self) -> None:
        self.agent.reconcile(
            self.state, can_go_on=lambda number: any(self.checkpoints.glob(f"*{number:05d}-a*"))
        )

    @property
    def told(self) -> list[str]:
        """The kinds of the ledger's events, those of the beginning left out."""
        self.recorder.commit()
        return self.told_on_disk

    @property
    def told_on_disk(self) -> list[str]:
        """The same, without what is not committed."""
        events = read_ledger(self.path / "ledger.jsonl").events
        return [e.event for e in events if e.event not in ("candidate_drawn", "attempt_started")]

    @property
    def history_on_disk(self) -> int:
        """How many events the journal holds."""
        return len(read_history(self.path / "history.jsonl").events)

    @property
    def events(self) -> list[Event]:
        return list(self.agent.events_since(0))


def agent(path: Path, *, before_write: Callable[[], None] = lambda: None) -> HistoryRecorder:
    return HistoryRecorder(
        path / "history.jsonl", is_audited=lambda number: number == AUDITED, before_write=before_write
    )


@contextmanager
def campaign(path: Path) -> Iterator[Campaign]:
    subject = Campaign(path)
    try:
        yield subject
    finally:
        subject.ledger.close()
        subject.agent.close()


def outcome(
    candidate: int, state: State, *, reason: Reason, epochs: float = 1.0, attempt: int = 0
) -> Outcome:
    return Outcome(candidate=candidate, attempt=attempt, state=state, reason=reason, epochs=epochs)


def finished(candidate: int, *, epochs: float = 1.0, attempt: int = 0) -> Outcome:
    return outcome(candidate, State.FINISHED, reason=Reason.FULL_BUDGET, epochs=epochs, attempt=attempt)


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
    return Loss(message="gone", recovered=[], charged=charged, quarantined=frozenset())
