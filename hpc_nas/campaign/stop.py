"""A wish to stop, from a signal, a deadline or trouble; everyone who waits looks at it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""All mean the same: schedulers warn of the end of a job by one of them, or by another that a user has chosen."""

WALLTIME = "walltime"
"""The reason of a campaign that its own clock has stopped."""


class StopRequest:
    """Set once; the first reason counts."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        """Ask for an end in order."""
        if self.reason is None:
            self.reason = reason


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """The first of `SIGNALS`: stop in order. After it a SIGINT interrupts at once, the others change nothing."""
    stop = StopRequest()

    def handle(signum: int, frame: FrameType | None) -> None:
        name = signal.Signals(signum).name
        if stop.reason is None:
            logger.warning("%s: stopping; what was flushed is kept", name)
        stop.request(f"stopped by {name}")
        signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
