"""A wish to stop, from a signal, a deadline or trouble; everyone who waits looks at it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""All mean the same: schedulers warn of the end of a job by one of them, or by another that a user has chosen."""

WALLTIME = "walltime"
"""The reason of a campaign that its own clock has stopped."""


EXIT_INCOMPLETE = 3
"""The exit code of a campaign that can go on."""

UNWINDING_S = 5.0


class StoppedEarly(BaseException):
    """A signal while a campaign is prepared. No Exception: a user's code that is being imported must not keep it."""


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


@contextmanager
def end_on_signals() -> Iterator[None]:
    """The first of `SIGNALS` raises StoppedEarly; nothing has been begun that would have to be ended in order.

    Where that does not end the process in time (it is deep in a library, or user's code keeps the exception), it ends
    all the same, with the same word and exit code.
    """
    timers: list[threading.Timer] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        if timers:
            return
        reason = f"stopped by {signal.Signals(signum).name}"
        timers.append(threading.Timer(UNWINDING_S, _end, args=(reason,)))
        timers[0].daemon = True
        timers[0].start()
        raise StoppedEarly(reason)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for timer in timers:
            timer.cancel()


def early_word(reason: str) -> str:
    """What a campaign says that was stopped while it was prepared."""
    return (
        f"hpc-nas: not complete: {reason} while the campaign was prepared; nothing is lost, and the same command "
        "starts it again"
    )


def _end(reason: str) -> None:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{early_word(reason)}\n".encode())
    os._exit(EXIT_INCOMPLETE)
