"""Who may wait at a listening socket: strangers can hold it for a moment only, and only so many of them.

A connection costs a descriptor before anything is known of who made it. Whoever reaches the port could open some
thousand of them and leave the campaign none for its own files. ZeroMQ tells of each connection when it is accepted, and
again when it has proved that it has the group's key; those that have not are counted, and shut beyond a limit: the
oldest one of the address from which most of them come.
"""

from __future__ import annotations

import logging
import resource
import socket as sockets
import threading
from collections import Counter
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

logger = logging.getLogger(__name__)

HANDSHAKE_MS = 10_000  # on a busy machine a handshake of an honest group may take seconds
MAX_DESCRIPTORS = 1 << 16
SHARE = 4  # strangers get one descriptor in so many
FEWEST, MOST = 32, 1024
_Peer = tuple[Any, ...]


def raise_descriptor_limit() -> int:
    """Take as many descriptors as this process may have, within reason; how many that are now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else MAX_DESCRIPTORS


def most_waiting() -> int:
    """How many connections may wait for their handshake, by this process's limit of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(FEWEST, min(MOST, soft // SHARE))


class Door:
    """Watches a listening socket in a thread of its own, whatever else the campaign does meanwhile."""

    def __init__(self, socket: zmq.Socket[bytes], *, max_waiting: int):
        self._socket = socket
        self._max_waiting = max_waiting
        self._waiting: dict[int, _Peer] = {}  # by descriptor, the oldest first
        self._per_address: Counter[str] = Counter()
        self._told = False
        self._events = socket.get_monitor_socket(
            zmq.Event.ACCEPTED
            | zmq.Event.HANDSHAKE_SUCCEEDED
            | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
            | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
            | zmq.Event.HANDSHAKE_FAILED_AUTH
            | zmq.Event.DISCONNECTED
            | zmq.Event.CLOSED
            | zmq.Event.MONITOR_STOPPED
        )
        self._thread = threading.Thread(target=self._watch, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Before the socket itself is closed."""
        self._socket.disable_monitor()  # the thread hears of it, and ends
        self._thread.join()

    def _watch(self) -> None:
        while True:
            event = parse_monitor_message(self._events.recv_multipart())
            if event["event"] == zmq.Event.MONITOR_STOPPED:
                self._events.close(linger=0)
                return
            descriptor = int(event["value"])
            self._forget(descriptor)
            if event["event"] == zmq.Event.ACCEPTED and (peer := _peer(descriptor)) is not None:
                self._waiting[descriptor] = peer
                self._per_address[peer[0]] += 1
                while len(self._waiting) > self._max_waiting:
                    self._shut_one()

    def _forget(self, descriptor: int) -> None:
        peer = self._waiting.pop(descriptor, None)
        if peer is not None:
            self._per_address[peer[0]] -= 1
            if not self._per_address[peer[0]]:
                del self._per_address[peer[0]]

    def _shut_one(self) -> None:
        ((address, _),) = self._per_address.most_common(1)
        descriptor = next(fd for fd, peer in self._waiting.items() if peer[0] == address)
        if not self._told:
            self._told = True
            logger.warning(
                "more than %d connections without the run's key wait at the campaign's port, most of them from %s: "
                "the oldest are shut",
                self._max_waiting,
                address,
            )
        _shut(descriptor, self._waiting[descriptor])
        self._forget(descriptor)


def _peer(descriptor: int) -> _Peer | None:
    """Who is at the other end; None for a connection that is gone already. Costs no descriptor."""
    try:
        connection = sockets.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        peer: _Peer = connection.getpeername()
        return peer
    except OSError:
        return None
    finally:
        connection.detach()


def _shut(descriptor: int, peer: _Peer) -> None:
    """ZeroMQ, whose descriptor this is, closes it then. Not where the number belongs to another one by now."""
    if _peer(descriptor) != peer:
        return
    connection = sockets.socket(fileno=descriptor)
    try:
        connection.shutdown(sockets.SHUT_RDWR)
    except OSError:
        return
    finally:
        connection.detach()
