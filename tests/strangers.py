"""Connections without a key, held open at a port of this machine: bounded in number and in time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

LOOPBACK = "127.0.0.1"
GREETING = bytes([0xFF, *bytes(8), 0x7F, 3])  # the first bytes of ZMTP 3, and never the rest


class Strangers:
    """Opens connections and keeps them for as long as the other side does."""

    def __init__(self, port: int):
        self._port = port
        self._open: list[socket.socket] = []

    def come(self, count: int, *, says: bytes = b"") -> None:
        """So many more."""
        for _ in range(count):
            try:
                connection = socket.create_connection((LOOPBACK, self._port), timeout=5.0)
            except OSError:  # the other side's queue is full: what more could a stranger want
                continue
            connection.setblocking(False)
            self._open.append(connection)
            if says:
                try:
                    connection.sendall(says)
                except OSError:
                    continue

    def shut(self) -> int:
        """How many the other side has shut by now."""
        return sum(_is_shut(connection) for connection in self._open)

    def __len__(self) -> int:
        return len(self._open)

    def __enter__(self) -> Strangers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._open:
            connection.close()


@contextmanager
def strangers_at(port: int, *, count: int, says: bytes = b"") -> Iterator[Strangers]:
    """Strangers that have come before the block begins."""
    with Strangers(port) as strangers:
        strangers.come(count, says=says)
        yield strangers


def _is_shut(connection: socket.socket) -> bool:
    try:
        while data := connection.recv(4096):
            assert data
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
