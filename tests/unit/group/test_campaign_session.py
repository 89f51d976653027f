"""What the estimator rank says to its campaign, and when it says it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.group import protocol
from hpc_nas.group.campaign_session import CampaignSession
from hpc_nas.values import Outcome, Reason, State


class Line:
    """Keeps what is sent; brings what the test puts into `coming`."""

    silent_s = 0.0

    def __init__(self) -> None:
        self.sent: list[protocol.FromGroup] = []
        self.coming: list[protocol.FromCampaign] = []

    def send(self, message: protocol.FromGroup) -> None:
        self.sent.append(message)

    def connect(self, hello: protocol.Hello, *, timeout_s: float) -> protocol.Welcome:
        self.sent.append(hello)
        return protocol.Welcome(chance_accuracy=10.0)

    def poll(self, timeout_ms: int) -> list[protocol.FromCampaign]:
        taken, self.coming = self.coming, []
        return taken


class Rank:
    """A session with its line, and its clock in the test's hands."""

    def __init__(self, alive_path: Path):
        self.now = 100.0
        self.line = Line()
        self.session = CampaignSession(self.line, alive_path=alive_path, clock=lambda: self.now)  # type: ignore[arg-type]

    def keep_up(self, *, after_s: float, credits: int = 2, version: int | None = None) -> list[str]:
        """The kinds of what is sent then."""
        self.now += after_s
        self.line.sent.clear()
        self.session.keep_up(credits=credits, history_version=version)
        return [message.kind for message in self.line.sent]


@pytest.fixture
def rank(tmp_path: Path) -> Rank:
    return Rank(tmp_path / "alive")


def ended(candidate: int) -> protocol.Ended:
    return protocol.Ended(
        trainer=0,
        outcome=Outcome(candidate=candidate, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET),
    )


def test_sign_of_life_goes_out_every_second_and_at_once_with_new_credits(rank: Rank) -> None:
    assert rank.keep_up(after_s=0.0, version=5) == ["beat"]
    assert rank.line.sent == [protocol.Beat(credits=2, history_version=5)]
    assert rank.keep_up(after_s=0.5, version=6) == []
    assert rank.keep_up(after_s=0.0, credits=3) == ["beat"]
    assert rank.keep_up(after_s=0.9, credits=3) == []
    assert rank.keep_up(after_s=0.1, credits=3) == ["beat"]


def test_supervisor_sees_that_the_rank_lives(rank: Rank, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert not alive.exists()
    rank.keep_up(after_s=0.0)
    before = alive.stat()
    assert before.st_size == 1
    rank.keep_up(after_s=2.0)
    assert alive.stat().st_mtime_ns >= before.st_mtime_ns


def test_result_is_told_again_until_it_is_acknowledged(rank: Rank) -> None:
    rank.keep_up(after_s=0.0)
    rank.session.report(ended(0))
    rank.session.report(ended(1))
    assert rank.line.sent[-2:] == [ended(0), ended(1)]
    assert rank.keep_up(after_s=5.0) == ["beat", "ended", "ended"]
    rank.line.coming = [protocol.Acknowledge(candidate=0, attempt=0), protocol.Beat()]
    assert [message.kind for message in rank.session.hear(timeout_ms=0)] == ["acknowledge", "beat"]
    assert not rank.session.settled
    assert rank.keep_up(after_s=5.0) == ["beat", "ended"]
    rank.line.coming = [protocol.Acknowledge(candidate=1, attempt=0)]
    rank.session.hear(timeout_ms=0)
    assert rank.session.settled
    assert rank.keep_up(after_s=5.0) == ["beat"]


def test_interruption_is_told_again_like_an_end(rank: Rank) -> None:
    interrupted = protocol.Interrupted(
        trainer=0, candidate=7, attempt=2, how="paused", epochs=3.0, checkpoint="seven.pt"
    )
    rank.keep_up(after_s=0.0)
    rank.session.report(interrupted)
    assert rank.keep_up(after_s=5.0) == ["beat", "interrupted"]
    rank.line.coming = [protocol.Acknowledge(candidate=7, attempt=1)]  # of its attempt before
    rank.session.hear(timeout_ms=0)
    assert not rank.session.settled
    rank.line.coming = [protocol.Acknowledge(candidate=7, attempt=2)]
    rank.session.hear(timeout_ms=0)
    assert rank.session.settled


def test_campaign_is_told_when_the_allocation_ends(rank: Rank, tmp_path: Path) -> None:
    greeting = CampaignSession(rank.line, alive_path=tmp_path / "alive", deadline_time=123.5)  # type: ignore[arg-type]
    assert greeting.greet(timeout_s=1.0) == protocol.Welcome(chance_accuracy=10.0)
    (hello,) = rank.line.sent
    assert isinstance(hello, protocol.Hello)
    assert hello.deadline_time == 123.5


def test_leaving_waits_for_acknowledgements_but_not_for_a_silent_campaign(rank: Rank) -> None:
    def settle(*, until: float) -> None:
        rank.session.settle(until=until, silent_s=5.0, poll_ms=1)

    rank.session.report(ended(0))
    settle(until=rank.now)  # no time left
    rank.line.silent_s = 6.0
    settle(until=rank.now + 10.0)
    assert not rank.session.settled
    rank.line.silent_s = 0.0
    rank.line.coming = [protocol.Acknowledge(candidate=0, attempt=0)]
    settle(until=rank.now + 10.0)
    assert rank.session.settled
