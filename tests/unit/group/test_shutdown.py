"""When a group leaves: by the clock at the latest, sooner when it is told to, and never before."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator

import pytest

from hpc_nas.configuration import GroupSection
from hpc_nas.group.shutdown import NOTICES, Notice, Shutdown

NOON = 1_800_000_000.0


class Scene:
    """A shutdown with its clocks, its group task and its campaign in the test's hands."""

    def __init__(self, *, deadline_in_s: float | None = None, drain_s: float = 30.0, grace_s: float = 40.0):
        self.passed_s = 0.0
        self.silent_s = 0.0
        self.request: str | None = None
        self.num_asked = 0
        self.notice = Notice()
        self.shutdown = Shutdown(
            GroupSection(drain_s=drain_s, orphan_grace_s=grace_s),
            deadline_time=None if deadline_in_s is None else NOON + deadline_in_s,
            notice=self.notice,
            request=self._ask,
            wall_clock=lambda: NOON + self.passed_s,
            clock=lambda: 500.0 + self.passed_s,
        )

    def look(self, *, after_s: float = 0.0) -> str | None:
        """The reason to leave, or None."""
        self.passed_s += after_s
        assert self.shutdown.look(silent_s=self.silent_s) == (self.shutdown.reason is not None)
        return self.shutdown.reason

    def may_go_on(self, *, after_s: float = 0.0) -> bool:
        self.passed_s += after_s
        return self.shutdown.may_go_on(silent_s=self.silent_s)

    def _ask(self) -> str | None:
        self.num_asked += 1
        return self.request


def test_group_without_a_deadline_stays() -> None:
    assert Scene().look(after_s=1e6) is None


def test_group_leaves_by_the_clock_in_time_to_drain() -> None:
    scene = Scene(deadline_in_s=100.0)
    assert scene.look(after_s=68.9) is None
    assert scene.look(after_s=0.2) == "its allocation ends in 31 s"
    scene.shutdown.begin()
    assert scene.may_go_on(after_s=29.8)
    assert not scene.may_go_on(after_s=0.3)


def test_what_is_left_of_the_allocation_bounds_the_drain() -> None:
    scene = Scene(deadline_in_s=100.0)
    scene.passed_s = 90.0  # it started late, or was held up
    assert scene.look() == "its allocation ends in 10 s"
    scene.shutdown.begin()
    assert scene.may_go_on(after_s=8.9)
    assert not scene.may_go_on(after_s=0.2)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in NOTICES}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("signum", NOTICES)
def test_signal_brings_it_forward(signum: signal.Signals) -> None:
    scene = Scene(deadline_in_s=1000.0)
    scene.notice.listen()
    assert scene.look() is None
    os.kill(os.getpid(), signum)
    assert scene.look() == f"this process was sent {signum.name}"
    scene.shutdown.begin()
    assert scene.may_go_on(after_s=29.9)
    assert not scene.may_go_on(after_s=0.2)


def test_supervisor_is_asked_now_and_then() -> None:
    scene = Scene()
    assert [scene.look(after_s=0.01) for _ in range(100)] == [None] * 100
    assert 3 <= scene.num_asked <= 5
    scene.request = "its node was sent SIGTERM"
    assert scene.look(after_s=0.3) == "its node was sent SIGTERM"


def test_first_reason_stands() -> None:
    scene = Scene(deadline_in_s=10.0)
    scene.shutdown.leave("the campaign is complete")
    assert scene.look() == "the campaign is complete"


def test_silence_leaves_a_quarter_of_the_grace_time() -> None:
    scene = Scene(grace_s=40.0)
    scene.silent_s = 20.0
    assert scene.look() is None
    scene.silent_s = 20.1
    assert scene.look() == "the campaign has been silent for 20 s"
    scene.shutdown.begin()
    scene.silent_s = 29.9
    assert scene.may_go_on()
    scene.silent_s = 30.1
    assert not scene.may_go_on()


def test_drain_without_a_deadline_has_its_own_limit() -> None:
    scene = Scene(drain_s=7.0)
    scene.shutdown.leave("enough")
    scene.shutdown.begin()
    assert scene.shutdown.until == pytest.approx(507.0)
    assert math.isfinite(scene.shutdown.until)
