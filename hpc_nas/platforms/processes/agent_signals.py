"""What a group's agent is told: why the group is to leave, and how long it may take."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from hpc_nas.configuration import Configuration

LEAVING_S = 3.0  # a group that has saved its candidates says so and ends
# Sent to a whole allocation when it ends. SIGHUP is the group task's: the worker pool has died.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


class AgentSignals:
    """Why the group is to leave, and how long it may take; by signals, and by the death of the group task."""

    def __init__(self, configuration: Configuration, *, parent: int):
        section = configuration.group
        self._parent = parent
        self._drain_s = section.drain_s + LEAVING_S
        # Whoever has lost its worker pool may have lost its campaign: all must be gone within the grace time.
        self._orphan_s = min(self._drain_s, section.orphan_grace_s / 4)
        self.why = ""
        self.until = float("inf")

    def listen(self) -> None:
        """Take the signals from now on."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    @property
    def orphaned(self) -> bool:
        """Has the group task died?"""
        return os.getppid() != self._parent

    def look(self) -> None:
        """See whether the group task still lives."""
        if self.orphaned:
            self._tell("the worker that started it has died", within_s=self._orphan_s)
            self._orphan_s = float("inf")

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            self._tell("the worker pool that started it has died", within_s=self._orphan_s)
        else:
            self._tell(f"its node was sent {signal.Signals(signum).name}", within_s=self._drain_s)

    def _tell(self, why: str, *, within_s: float) -> None:
        self.why = self.why or why
        self.until = min(self.until, time.monotonic() + within_s)
