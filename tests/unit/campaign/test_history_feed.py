"""Handing the history out: in pieces, in order, again where one was lost, to those that need it alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc_nas.campaign.history_feed import BATCH_INTERVAL_S, MAX_EVENTS, MAX_MESSAGES, STALLED_S, HistoryFeed
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.group import protocol
from hpc_nas.records.history_journal import read_history

WORST = -1.2345678901234567e-308  # as long as a number gets


class Line:
    """A feed whose clock and messages are in the test's hands; groups take what goes on where they stand."""

    def __init__(self, path: Path):
        self.path = path
        self.agent = HistoryRecorder(path, is_audited=lambda number: False)
        self.feed = HistoryFeed(self.agent, send=self.send, clock=lambda: self.now)
        self.now = 100.0
        self.works = True
        self.sent: list[tuple[int, int, int]] = []  # group, first version, events
        self.versions: dict[int, int] = {}

    def send(self, group: int, message: protocol.HistoryEvents) -> bool:
        assert len(read_history(self.path).events) >= message.first_version + len(message.events)
        assert len(protocol.encode(message)) <= protocol.MAX_MESSAGE_BYTES
        self.sent.append((group, message.first_version, len(message.events)))
        if self.works and message.first_version <= self.versions.get(group, 0):
            end = message.first_version + len(message.events)
            self.versions[group] = max(self.versions.get(group, 0), end)
        return True

    def happen(self, count: int) -> None:
        """So many events."""
        for _ in range(count):
            self.agent.observe(
                protocol.Progress(
                    candidate=10**15 + self.agent.version,
                    attempt=0,
                    trainer=0,
                    epoch=1.2345678901234567e-300,
                    val_accuracy=12.345678901234567,
                    val_loss=WORST,
                    train_loss=WORST,
                    train_accuracy=12.345678901234567,
                )
            )

    def turn(self, *, after_s: float = BATCH_INTERVAL_S) -> list[tuple[int, int, int]]:
        """What one turn of the campaign sends."""
        self.now += after_s
        self.sent.clear()
        self.feed.turn()
        return list(self.sent)

    def beat(self, group: int) -> None:
        self.feed.heard(group, version=self.versions.get(group, 0))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "history.jsonl")
    yield made
    made.agent.close()


def test_every_group_is_told_what_is_new_once(line: Line) -> None:
    line.happen(3)
    line.beat(0)
    assert line.turn() == [(0, 0, 3)]
    line.beat(1)
    line.happen(2)
    assert line.turn() == [(0, 3, 2), (1, 0, 5)]
    assert line.turn() == []
    line.feed.forget(0)
    line.happen(1)
    assert line.turn() == [(1, 5, 1)]


def test_group_that_needs_no_history_is_sent_none(line: Line) -> None:
    line.happen(1)
    line.feed.heard(0, version=None)
    assert line.turn() == []
    assert len(read_history(line.path).events) == 1  # the journal is kept all the same


def test_events_are_gathered_for_a_quarter_of_a_second(line: Line) -> None:
    line.beat(0)
    line.happen(1)
    assert line.turn() == [(0, 0, 1)]
    line.happen(1)
    assert line.turn(after_s=0.5 * BATCH_INTERVAL_S) == []
    line.happen(1)
    assert line.turn(after_s=0.5 * BATCH_INTERVAL_S) == [(0, 1, 2)]


def test_long_history_is_sent_in_messages_that_fit_and_turns_that_are_short(line: Line) -> None:
    count = MAX_EVENTS * MAX_MESSAGES + 7
    line.happen(count)
    line.beat(0)
    first = line.turn()
    assert len(first) == MAX_MESSAGES
    assert line.turn() == [(0, MAX_EVENTS * MAX_MESSAGES, 7)]
    assert line.versions[0] == count


def test_groups_at_the_same_version_share_their_messages(tmp_path: Path) -> None:
    agent = HistoryRecorder(tmp_path / "history.jsonl", is_audited=lambda number: False)
    sent: list[protocol.HistoryEvents] = []
    feed = HistoryFeed(agent, send=lambda group, message: sent.append(message) is None)
    agent.observe(protocol.Progress(candidate=0, attempt=0, trainer=0, epoch=1.0, val_accuracy=1.0))
    feed.heard(0, version=0)
    feed.heard(1, version=0)
    feed.turn()
    assert len(sent) == 2
    assert sent[0] is sent[1]
    agent.close()


def test_message_that_was_lost_is_sent_again_and_nothing_twice_before(line: Line) -> None:
    line.beat(0)
    line.turn()
    line.happen(2)
    line.works = False
    assert line.turn() == [(0, 0, 2)]
    line.works = True
    line.beat(0)  # may be on its way
    line.happen(1)
    assert line.turn() == [(0, 2, 1)]  # beyond the gap: of no use to the group
    assert line.versions.get(0, 0) == 0
    line.now += STALLED_S
    line.beat(0)
    assert line.turn() == [(0, 0, 3)]
    line.beat(0)
    assert line.versions[0] == 3
    line.now += 2 * STALLED_S
    line.beat(0)
    assert line.turn() == []


def test_message_that_could_not_be_sent_is_sent_at_the_next_turn(tmp_path: Path) -> None:
    agent = HistoryRecorder(tmp_path / "history.jsonl", is_audited=lambda number: False)
    answers = [False, True]
    sent: list[int] = []

    def send(group: int, message: protocol.HistoryEvents) -> bool:
        sent.append(message.first_version)
        return answers.pop(0)

    clock = iter(range(100))
    feed = HistoryFeed(agent, send=send, clock=lambda: float(next(clock)))
    feed.heard(0, version=0)
    agent.observe(protocol.Progress(candidate=0, attempt=0, trainer=0, epoch=1.0, val_accuracy=1.0))
    for _ in range(3):
        feed.turn()
    assert sent == [0, 0]
    agent.close()
