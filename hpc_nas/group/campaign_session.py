"""The estimator rank's dealings with its campaign: signs of life, and results until they are acknowledged."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from hpc_nas.errors import LaunchError
from hpc_nas.group import protocol
from hpc_nas.group.campaign_socket import CampaignSocket

BEAT_INTERVAL_S = 1.0
RESEND_INTERVAL_S = 5.0
_Key = tuple[int, int]


class CampaignSession:
    """Says on time what is due, and forgets no result before the campaign has it.

    `alive_path` is the file by which the group's agent sees that this rank lives, `deadline_time` the end of the
    group's allocation, which the campaign is told.
    """

    def __init__(
        self,
        link: CampaignSocket,
        *,
        alive_path: Path,
        deadline_time: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._link = link
        self._deadline_time = deadline_time
        self._alive_path = alive_path
        self._clock = clock
        self._unacknowledged: dict[_Key, protocol.Ended | protocol.Interrupted] = {}
        self._credits_sent = -1
        self._next_beat = 0.0
        self._next_resend = 0.0
        self._shown_alive = False

    @property
    def settled(self) -> bool:
        """Has the campaign acknowledged every result?"""
        return not self._unacknowledged

    @property
    def silent_s(self) -> float:
        """Seconds since the campaign was last heard."""
        return self._link.silent_s

    def greet(self, *, timeout_s: float) -> protocol.Welcome:
        """The campaign's welcome. Raises LaunchError where none comes in time, or the group is sent away."""
        hello = protocol.Hello(host=socket.gethostname(), pid=os.getpid(), deadline_time=self._deadline_time)
        welcome = self._link.connect(hello, timeout_s=timeout_s)
        if isinstance(welcome, protocol.Leave):
            raise LaunchError(f"sent away before it began: {welcome.reason}")
        return welcome

    def hear(self, *, timeout_ms: int) -> list[protocol.FromCampaign]:
        """What the campaign says, after its acknowledgements were taken to the recorder."""
        messages = self._link.poll(timeout_ms)
        for message in messages:
            if isinstance(message, protocol.Acknowledge):
                self._unacknowledged.pop((message.candidate, message.attempt), None)
        return messages

    def send(self, message: protocol.FromGroup) -> None:
        """Say something that need not be repeated."""
        self._link.send(message)

    def report(self, end: protocol.Ended | protocol.Interrupted) -> None:
        """Tell how an attempt ended, and tell it again until it is acknowledged."""
        what = end.outcome if isinstance(end, protocol.Ended) else end
        self._unacknowledged[what.candidate, what.attempt] = end
        self._link.send(end)

    def settle(self, *, until: float, silent_s: float, poll_ms: int) -> None:
        """Wait for the acknowledgement of every result: to that time, while the campaign isn't silent for too long.

        It wants nothing more: signs of life go on with the credits last stated.
        """
        while self._unacknowledged and self._clock() < until and self.silent_s <= silent_s:
            self.hear(timeout_ms=poll_ms)
            self.keep_up(credits=max(0, self._credits_sent), history_version=None)

    def keep_up(self, *, credits: int, history_version: int | None) -> None:
        """Call often: a sign of life goes out every second, and at once when the credits have changed."""
        now = self._clock()
        if now >= self._next_beat or credits != self._credits_sent:
            self._next_beat = now + BEAT_INTERVAL_S
            self._credits_sent = credits
            self._link.send(protocol.Beat(credits=credits, history_version=history_version))
            self._show_life()
        if now >= self._next_resend:
            self._next_resend = now + RESEND_INTERVAL_S
            for end in self._unacknowledged.values():
                self._link.send(end)

    def _show_life(self) -> None:
        """The file's first byte is the first beat, its time the last one (needs no space)."""
        if self._shown_alive:
            os.utime(self._alive_path)
        else:
            self._alive_path.write_bytes(b"1")
            self._shown_alive = True
