"""When a group leaves, why, and how long it may take about it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from hpc_nas.configuration import GroupSection

NOTICES = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""What schedulers send some time before they kill."""

MARGIN_S = 1.0
ASK_INTERVAL_S = 0.25


class Notice:
    """Remembers that this process was told by a signal to end soon; nothing is done in the handler itself."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def listen(self) -> None:
        """From now on none of `NOTICES` ends this process. To be called from the main thread."""
        for signum in NOTICES:
            signal.signal(signum, self._receive)
        # The launcher is shielded from them, so that it does not kill its ranks, and what it starts inherits that.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, NOTICES)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(signum)


class Shutdown:
    """Says when it is time to leave: by the clock of the allocation; signals and requests only bring it forward.

    `deadline_time` is when the allocation ends, seconds since the Unix epoch, None where it does not; `request`
    looks whether the agent on the node wants the group to leave, and why. `until` is the end of the time to
    leave in order, by `clock`.
    """

    def __init__(
        self,
        section: GroupSection,
        *,
        deadline_time: float | None,
        notice: Notice,
        request: Callable[[], str | None],
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._section = section
        self.deadline_time = deadline_time
        self._notice = notice
        self._request = request
        self._wall_clock = wall_clock
        self._clock = clock
        self._next_ask = 0.0
        self.until = 0.0
        self.reason: str | None = None

    def leave(self, reason: str) -> None:
        """Leave for this reason, unless there is one already."""
        if self.reason is None:
            self.reason = reason

    def look(self, *, silent_s: float) -> bool:
        """Is it time to leave? `silent_s` is how long the campaign has not been heard."""
        if self.reason is None:
            self.reason = self._why(silent_s)
        return self.reason is not None

    def begin(self) -> None:
        """The time to leave in order runs from now on."""
        self.until = self._clock() + self._time_s()

    def may_go_on(self, *, silent_s: float) -> bool:
        """May the group go on writing checkpoints? Not once the grace that a silent campaign leaves is nearly over."""
        return self._clock() < self.until and silent_s <= self.silence_limit_s

    @property
    def silence_limit_s(self) -> float:
        """How long the campaign may be silent while the group leaves."""
        return 0.75 * self._section.orphan_grace_s

    def _why(self, silent_s: float) -> str | None:
        if self._notice.received is not None:
            return f"this process was sent {self._notice.received.name}"
        if self._left_s() <= self._section.drain_s + MARGIN_S:
            return f"its allocation ends in {max(0.0, self._left_s()):.0f} s"
        if silent_s > self._section.orphan_grace_s / 2:
            return f"the campaign has been silent for {silent_s:.0f} s"
        if (now := self._clock()) >= self._next_ask:
            self._next_ask = now + ASK_INTERVAL_S
            return self._request()
        return None

    def _left_s(self) -> float:
        return float("inf") if self.deadline_time is None else self.deadline_time - self._wall_clock()

    def _time_s(self) -> float:
        return min(self._section.drain_s, max(MARGIN_S, self._left_s() - MARGIN_S))
