"""When a trainer is taken to hang: by its own past, by its group's, by hard limits; never for time nobody watched."""

from __future__ import annotations

from hpc_nas.configuration import GroupSection
from hpc_nas.group.hangs import Hang, HangWatch

KEY, OTHER = (3, 0), (4, 0)


class Watched:
    """A watch that looks every tenth of a second, as the estimator rank does."""

    def __init__(self, *, factor: float = 10.0, floor_s: float = 5.0, limit_s: float = 100.0):
        section = GroupSection(hang_factor=factor, hang_floor_s=floor_s, hang_limit_s=limit_s)
        self.watch = HangWatch(section)
        self.ticks = 0

    @property
    def now(self) -> float:
        return self.ticks / 10

    def start(self, key: tuple[int, int] = KEY, *, trainer: int = 0) -> None:
        self.watch.started(key, trainer=trainer, now=self.now)

    def observe(self, *after_s: float, key: tuple[int, int] = KEY) -> None:
        """Observations at these intervals."""
        for interval_s in after_s:
            assert self.overdue_after(interval_s) is None
            self.watch.observed(key, now=self.now)

    def overdue_after(self, wait_s: float) -> Hang | None:
        """The first attempt that is overdue within this time."""
        for _ in range(round(wait_s * 10)):
            self.ticks += 1
            if found := self.watch.overdue(now=self.now):
                return found[0]
        return None


def allowed(hang: Hang | None) -> float:
    assert hang is not None
    assert hang.allowed_s < hang.silent_s < hang.allowed_s + 0.2
    return round(hang.allowed_s, 6)


def test_attempt_may_take_many_times_its_longest_interval() -> None:
    subject = Watched()
    subject.start(trainer=1)
    subject.observe(1.0, 3.0, 2.0)
    found = subject.overdue_after(60.0)
    assert allowed(found) == 30.0
    assert found is not None
    assert (found.trainer, found.key) == (1, KEY)


def test_quick_networks_have_the_floor() -> None:
    subject = Watched()
    subject.start()
    subject.observe(0.1, 0.1)
    assert allowed(subject.overdue_after(60.0)) == 5.0


def test_limit_holds_whatever_came_before() -> None:
    subject = Watched(limit_s=20.0)
    subject.start()
    subject.observe(19.0, 19.0)
    assert allowed(subject.overdue_after(60.0)) == 20.0
    contradicting = Watched(limit_s=4.0, floor_s=5.0)
    contradicting.start()
    assert allowed(contradicting.overdue_after(60.0)) == 4.0


def test_before_its_first_observation_an_attempt_has_the_limit() -> None:
    subject = Watched()
    subject.start()
    assert allowed(subject.overdue_after(200.0)) == 100.0


def test_or_many_times_the_longest_first_interval_of_the_group() -> None:
    subject = Watched()
    subject.start()
    subject.observe(2.0, 9.0)  # a later interval says nothing of how long a start takes
    subject.watch.ended(KEY)
    subject.start(OTHER)
    assert allowed(subject.overdue_after(200.0)) == 20.0


def test_attempt_that_has_ended_is_never_overdue() -> None:
    subject = Watched()
    subject.start()
    subject.observe(1.0)
    subject.watch.ended(KEY)
    subject.watch.observed(KEY, now=subject.now)  # its last row, read late
    assert subject.overdue_after(300.0) is None


def test_each_attempt_is_measured_by_itself() -> None:
    subject = Watched()
    subject.start()
    subject.start(OTHER, trainer=1)
    subject.observe(1.0, 1.0, 1.0)
    subject.observe(1.0, key=OTHER)  # after 4 s of silence: its longest interval
    found = subject.overdue_after(60.0)
    assert found is not None
    assert (found.key, round(found.allowed_s)) == (KEY, 10)


def test_time_in_which_nobody_watched_counts_for_nobody() -> None:
    """The estimator rank was stopped for an hour, the trainers perhaps with it."""
    subject = Watched()
    subject.start()
    subject.observe(1.0, 1.0)
    subject.ticks += 36_000
    assert subject.watch.overdue(now=subject.now) == []
    assert allowed(subject.overdue_after(60.0)) == 10.0
