"""A wish to stop, from a signal or from trouble; everyone who waits looks at it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    """First SIGINT, SIGTERM or SIGHUP: stop in order. After it a SIGINT interrupts at once."""
    stop = StopRequest()

    def handle(signum: int, frame: FrameType | None) -> None:
        name = signal.Signals(signum).name
        logger.warning("%s: stopping; what was flushed is kept", name)
        stop.request(f"stopped by {name}")
        signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
