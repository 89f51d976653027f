"""Hands the history out to the worker groups that need it: in versions, in batches, never waiting for anybody.

What one group has seen is known to the others within about `BATCH_INTERVAL_S` and the campaign's turn (0.1 s).
A message that was lost is sent again once a group's signs of life show for `STALLED_S` that it stands still.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.group import protocol
from hpc_nas.records.history_journal import to_line

BATCH_INTERVAL_S = 0.25
STALLED_S = 3.0
MAX_EVENTS = 250  # a message; 250 bytes each at most, 4,000 where it describes a candidate
MAX_MESSAGES = 20  # a batch: what a new group has to catch up with holds nobody else up


@dataclass
class _Reader:
    """A group: the version up to which it was sent events, the one it says it has, and since when it stands there."""

    sent: int
    confirmed: int
    since: float


class HistoryFeed:
    """Knows which version each group has. `send` takes a group and a message; False if it could not be sent."""

    def __init__(
        self,
        agent: HistoryRecorder,
        *,
        send: Callable[[int, protocol.HistoryEvents], bool],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._agent = agent
        self._send = send
        self._clock = clock
        self._readers: dict[int, _Reader] = {}
        self._next = 0.0

    def heard(self, group: int, *, version: int | None) -> None:
        """A group says which version it has; None: it needs none, and is sent none."""
        if version is None:
            return
        now = self._clock()
        reader = self._readers.setdefault(group, _Reader(sent=version, confirmed=version, since=now))
        if version != reader.confirmed or version >= reader.sent:
            reader.confirmed, reader.since = version, now
            reader.sent = max(reader.sent, version)
        elif now - reader.since > STALLED_S:
            reader.sent, reader.since = version, now

    def forget(self, group: int) -> None:
        """The group is gone."""
        self._readers.pop(group, None)

    def turn(self) -> None:
        """Write the journal and send what is new, if it is time. Raises RecordError when the journal can't be."""
        now = self._clock()
        if now < self._next:
            return
        self._agent.flush()  # also where nobody needs it
        self._next = now + BATCH_INTERVAL_S
        made: dict[int, protocol.HistoryEvents] = {}  # most groups stand at the same version
        for group, reader in self._readers.items():
            self._catch_up(group, reader, made)

    def _catch_up(self, group: int, reader: _Reader, made: dict[int, protocol.HistoryEvents]) -> None:
        """Send the next messages, written before they are sent: a version means the same for ever."""
        for _ in range(MAX_MESSAGES):
            start = reader.sent
            if start >= self._agent.version:
                return
            if start not in made:
                events = self._agent.events_since(start, until=start + MAX_EVENTS)
                made[start] = protocol.HistoryEvents(first_version=start, events=[*map(to_line, events)])
            if not self._send(group, made[start]):
                return
            reader.sent += len(made[start].events)
