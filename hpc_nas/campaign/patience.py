"""A file system that refuses for a while is asked again, with a word to the user, before a campaign gives up.

Out of descriptors, an I/O error, a stale handle of a network file system: all of them may pass. A full disk and missing
rights do not pass by waiting, and are told at once.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from hpc_nas.errors import RecordError, RunDirectoryError

logger = logging.getLogger(__name__)

LIMIT_S = 20.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 0.5  # groups want to hear from the campaign meanwhile
_MAY_PASS = {
    getattr(errno, name)
    for name in (
        *("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN", "EINTR", "EBUSY"),
        *("EIO", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "EHOSTDOWN", "EHOSTUNREACH", "ENETUNREACH"),
        *("ECONNREFUSED", "ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ECOMM", "ENOLCK"),
    )
    if hasattr(errno, name)
}

_T = TypeVar("_T")


def may_pass(error: BaseException) -> bool:
    """Is this an error of the file system, or of our own that stems from one, that may be gone in a moment?"""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno in _MAY_PASS:
            return True
        found = found.__cause__
    return False


class Patience:
    """Tries again what fails by an error that may pass. `meanwhile` is done between two tries."""

    def __init__(
        self,
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._limit_s = limit_s
        self._clock = clock
        self._sleep = sleep
        self.meanwhile: Callable[[], object] = lambda: None

    def insist(self, action: Callable[[], _T]) -> _T:
        """What `action` returns. It must be one that can be repeated.

        Raises its error where that can't pass, or has not passed after the limit.
        """
        begun = self._clock()
        wait_s = 0.0
        while True:
            try:
                done = action()
            except (OSError, RecordError, RunDirectoryError) as error:
                if not may_pass(error) or self._clock() - begun >= self._limit_s:
                    raise
                if not wait_s:
                    logger.warning("%s; tried again for up to %g s", error, self._limit_s)
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s or FIRST_WAIT_S)
                self._sleep(wait_s)
                self.meanwhile()
            else:
                if wait_s:
                    logger.warning("it has passed after %.1f s", self._clock() - begun)
                return done
