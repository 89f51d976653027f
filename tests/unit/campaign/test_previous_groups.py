"""What becomes of the groups of an earlier campaign process: heard out, sent away, buried, never waited for long."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.endpoint import LOOPBACK, Endpoint
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.previous_groups import PreviousGroups
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.state import CampaignState
from hpc_nas.campaign.stop import StopRequest
from hpc_nas.configuration import Configuration, EstimatorSection, GroupSection, TrainingSection
from hpc_nas.group import protocol
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.group.campaign_socket import CampaignSocket
from hpc_nas.group.connection import new_keys
from hpc_nas.platforms.processes.group_status import TELL_INTERVAL_S
from hpc_nas.records.ledger import (
    AttemptStarted,
    CandidateDrawn,
    Event,
    GroupReported,
    GroupStarted,
    LedgerWriter,
    read_ledger,
)
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Outcome, Reason, State
from tests.unit.campaign.recorder_helpers import Listener

GRACE_S = 8.0


class TellTale(Listener):
    """A strategy that only remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Outcome]] = []

    def ask(self, number: int) -> Candidate:
        raise AssertionError("nothing is drawn before the old groups are settled")

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        self.told.append((candidate.number, outcome))


class Resumed:
    """A campaign of two candidates, both in flight in group 0 when the process before it ended."""

    def __init__(self, path: Path, *, reported_by: tuple[str, int] | None):
        self.configuration = Configuration(
            training=TrainingSection(max_epochs=2.0), estimator=EstimatorSection(preset="none")
        )
        self.directory = RunDirectory.create(path)
        self.directory.create_group_dir(0)
        self.state = CampaignState(num_candidates=2)
        self.strategy = TellTale()
        self.endpoint = Endpoint(new_keys(), addresses=[LOOPBACK])
        self.ledger = LedgerWriter(self.directory.ledger_path)
        self.history = HistoryRecorder(self.directory.history_path, is_audited=lambda number: False)
        self.record(GroupStarted(group=0, time_s=time.time()))
        if reported_by is not None:
            host, pid = reported_by
            self.record(GroupReported(group=0, host=host, pid=pid, num_trainers=2, time_s=time.time() + 0.1))
        for number in range(2):
            drawn = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
            self.record(CandidateDrawn(candidate=drawn, time_s=time.time()))
            self.record(AttemptStarted(candidate=number, attempt=0, group=0, time_s=time.time()))
        self.num_before = len(self.events)

    def record(self, event: Event) -> None:
        self.ledger.append(event)
        self.state.apply(event)

    def settle(
        self, *, grace_s: float = GRACE_S, drain_s: float = GRACE_S, stop: StopRequest | None = None
    ) -> None:
        preset = make_preset(self.configuration, chance_accuracy=10.0)
        PreviousGroups(
            Recorder(
                self.state,
                ledger=self.ledger,
                history=self.history,
                checkpoints=CheckpointStore(
                    self.directory.checkpoints_dir, section=self.configuration.checkpoints
                ),
                strategy=self.strategy,
            ),
            endpoint=self.endpoint,
            losses=LossAssessor(self.directory, configuration=self.configuration, preset=preset),
            directory=self.directory,
            stop=stop or StopRequest(),
        ).settle(GroupSection.model_construct(orphan_grace_s=grace_s, drain_s=drain_s))

    @property
    def events(self) -> tuple[Event, ...]:
        return read_ledger(self.directory.ledger_path).events

    @property
    def news(self) -> list[tuple[str, int]]:
        """What settling has written: (event, candidate), the group's number for the group's own."""
        numbers = []
        for event in self.events[self.num_before :]:
            content = event.model_dump()
            number = content.get("candidate", content.get("outcome", {}).get("candidate", content["group"]))
            numbers.append((content["event"], number))
        return numbers


@contextmanager
def resumed(path: Path, *, reported_by: tuple[str, int] | None) -> Iterator[Resumed]:
    subject = Resumed(path, reported_by=reported_by)
    try:
        yield subject
    finally:
        subject.ledger.close()
        subject.history.close()
        subject.endpoint.close()


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def finished(number: int, *, attempt: int = 0) -> Outcome:
    return Outcome(
        candidate=number, attempt=attempt, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=80.0
    )


def test_group_that_died_with_its_campaign_gives_its_candidates_back(tmp_path: Path) -> None:
    with resumed(tmp_path / "run", reported_by=(socket.gethostname(), gone())) as subject:
        subject.settle()
        assert subject.news == [("attempt_lost", 0), ("attempt_lost", 1), ("group_ended", 0)]
        assert [e.state for e in subject.state.entries.values()] == [State.QUEUED, State.QUEUED]
        assert [e.charges for e in subject.state.entries.values()] == [0, 0]
        assert subject.state.open_groups == set()


def test_what_the_dead_group_had_finished_is_salvaged(tmp_path: Path) -> None:
    with resumed(tmp_path / "run", reported_by=(socket.gethostname(), gone())) as subject:
        path = subject.directory.rank_file_path(0, 0)
        with TrainerFile(path, group=0, rank=0, device="cpu") as file:
            file.append_attempt(
                candidate=1,
                attempt=0,
                received_time=1.0,
                first_batch_time=2.0,
                signal_time=math.nan,
                left_time=3.0,
                start_epoch=0.0,
                start_batch=0,
                epochs=0.0,
                batches=8,
                train_s=1.0,
                validate_s=0.5,
                last_batch_s=0.1,
                state=State.FAILED,
                reason=Reason.NON_FINITE,
            )
        subject.settle()
        assert subject.news == [("candidate_ended", 1), ("attempt_lost", 0), ("group_ended", 0)]
        recovered = subject.state.entries[1].outcome
        assert recovered is not None
        assert recovered.label == "failed: non_finite"
        assert subject.strategy.told == [(1, recovered)]


def test_group_that_still_lives_brings_its_result_and_is_sent_away(tmp_path: Path) -> None:
    """The old group's estimator rank is a process that ends when it is told to leave."""
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as rank,
        resumed(tmp_path / "run", reported_by=(socket.gethostname(), rank.pid)) as subject,
    ):
        heard: list[protocol.FromCampaign] = []
        old = threading.Thread(target=play_old_group, args=(subject, rank, heard))
        old.start()
        subject.settle()
        old.join()
        assert [type(message) for message in heard] == [
            protocol.Acknowledge,
            protocol.Acknowledge,
            protocol.Leave,
        ]
        assert subject.news == [
            ("candidate_ended", 0),
            ("result_ignored", 1),
            ("attempt_lost", 1),
            ("group_ended", 0),
        ]
        assert subject.strategy.told == [(0, finished(0))]


def play_old_group(
    subject: Resumed, rank: subprocess.Popen[bytes], heard: list[protocol.FromCampaign]
) -> None:
    """Two results, one of them stale, then a sign of life; leaves when told to."""
    link = CampaignSocket(subject.endpoint.connection, group=0)
    link._socket = link._open(0)  # it was welcomed by the process before
    for outcome in (finished(0), finished(1, attempt=7)):
        link.send(protocol.Ended(trainer=0, outcome=outcome))
    link.send(protocol.Beat(credits=2))
    deadline = time.monotonic() + GRACE_S
    while not any(isinstance(message, protocol.Leave) for message in heard):
        if time.monotonic() > deadline:
            break
        heard += link.poll(100)
    link.close()
    assert rank.stdin is not None
    rank.stdin.close()
    rank.wait()


def test_group_on_another_host_has_left_once_it_says_so(tmp_path: Path) -> None:
    with resumed(tmp_path / "run", reported_by=("far-away", os.getpid())) as subject:
        subject.directory.alive_path(0).touch()
        link = CampaignSocket(subject.endpoint.connection, group=0)
        link._socket = link._open(0)
        cancelled = Outcome(
            candidate=0, attempt=0, state=State.CANCELLED, reason=Reason.CANCELLED, epochs=1.0
        )
        link.send(protocol.Ended(trainer=0, outcome=cancelled))
        link.send(protocol.Goodbye(reason="the campaign has been silent"))
        subject.settle()
        link.close()
        # Cancelled is interrupted, not judged: it runs again.
        assert subject.news == [("attempt_lost", 0), ("attempt_lost", 1), ("group_ended", 0)]


@pytest.mark.parametrize("shown_life", [True, False])
def test_group_on_another_host_has_left_once_it_shows_no_life(tmp_path: Path, shown_life: bool) -> None:
    with resumed(tmp_path / "run", reported_by=("far-away", os.getpid())) as subject:
        if shown_life:
            alive = subject.directory.alive_path(0)
            alive.touch()
            os.utime(alive, (time.time() - GRACE_S - TELL_INTERVAL_S - 1.0,) * 2)
        subject.settle(drain_s=3600.0)  # nobody waits that out: this test would run out of its time
        assert subject.news == [("attempt_lost", 0), ("attempt_lost", 1), ("group_ended", 0)]


def test_process_that_took_over_the_number_of_a_dead_one_is_not_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        with resumed(tmp_path / "run", reported_by=None) as subject:
            report = GroupReported(
                group=0, host=socket.gethostname(), pid=other.pid, num_trainers=2, time_s=1.0
            )
            subject.record(report)
            subject.num_before += 1
            subject.settle()
            assert other.poll() is None
            assert subject.news == [("attempt_lost", 0), ("attempt_lost", 1), ("group_ended", 0)]
        assert other.stdin is not None
        other.stdin.close()


def test_group_that_hangs_is_given_up_after_twice_the_grace_time(tmp_path: Path) -> None:
    with resumed(tmp_path / "run", reported_by=(socket.gethostname(), os.getppid())) as subject:
        started = time.monotonic()
        subject.settle(grace_s=0.25, drain_s=0.25)
        assert time.monotonic() - started >= 0.5
        assert subject.state.open_groups == set()


def test_group_that_lives_when_this_process_is_stopped_is_left_to_the_next_one(tmp_path: Path) -> None:
    """What it still finishes would be a stale attempt's, and be trained again."""
    stop = StopRequest()
    stop.request("stopped by SIGTERM")
    with resumed(tmp_path / "run", reported_by=(socket.gethostname(), os.getppid())) as subject:
        subject.settle(stop=stop)
        assert subject.news == []
        assert subject.state.open_groups == {0}


def test_campaign_that_ended_in_order_waits_for_nobody(tmp_path: Path) -> None:
    with resumed(tmp_path / "run", reported_by=None) as subject:
        subject.state.open_groups.clear()
        subject.settle()
        assert subject.news == []
