"""The estimator rank's line to the campaign: one encrypted ZeroMQ socket that never blocks the caller."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

import zmq

from hpc_nas.errors import LaunchError
from hpc_nas.group.connection import Connection
from hpc_nas.group.protocol import (
    FromCampaign,
    FromGroup,
    Hello,
    Leave,
    MalformedMessage,
    Welcome,
    decode_from_campaign,
    encode,
)

logger = logging.getLogger(__name__)


class CampaignSocket:
    """A DEALER socket to the campaign, and the clock of its silence.

    `connect` probes every published address at once and keeps the first that answers: on a cluster the
    login node's addresses are not all reachable from a compute node.
    """

    def __init__(self, connection: Connection, *, group: int, clock: Callable[[], float] = time.monotonic):
        self._connection = connection
        self._group = group
        self._clock = clock
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._last_heard = clock()

    def connect(self, hello: Hello, *, timeout_s: float) -> Welcome | Leave:
        """Greet the campaign on all its addresses; raises LaunchError when none answers in time."""
        sockets = [self._open(index) for index in range(len(self._connection.endpoints))]
        poller = zmq.Poller()
        for socket in sockets:
            with suppress(zmq.Again):  # whoever listens there has refused already
                socket.send(encode(hello), zmq.DONTWAIT)
            poller.register(socket, zmq.POLLIN)
        deadline = self._clock() + timeout_s
        while self._socket is None and (left := deadline - self._clock()) > 0:
            for socket, _ in poller.poll(timeout=int(left * 1000) + 1):
                message = _decode(socket.recv())
                if isinstance(message, Welcome | Leave):
                    self._socket = socket
                    break
        for socket in sockets:
            if socket is not self._socket:
                socket.close(linger=0)
        if self._socket is None:
            raise LaunchError(
                f"group {self._group}: the campaign did not answer within {timeout_s:g} s at any of its addresses "
                f"({', '.join(self._connection.endpoints)}); is one of them reachable from this node?"
            )
        self._last_heard = self._clock()
        assert isinstance(message, Welcome | Leave)
        return message

    @property
    def connected(self) -> bool:
        """Has the campaign answered?"""
        return self._socket is not None

    @property
    def silent_s(self) -> float:
        """Seconds since the campaign was last heard."""
        return self._clock() - self._last_heard

    def send(self, message: FromGroup) -> None:
        """Queue a message; while the campaign is away it waits in the socket, never in the caller."""
        assert self._socket is not None
        try:
            self._socket.send(encode(message), zmq.DONTWAIT)
        except zmq.Again:
            logger.warning("the line to the campaign is full; dropped a %s", message.kind)

    def poll(self, timeout_ms: int) -> list[FromCampaign]:
        """Messages that have come; sleeps up to `timeout_ms` while there are none."""
        assert self._socket is not None
        messages: list[FromCampaign] = []
        if not self._socket.poll(timeout_ms):
            return messages
        while True:
            try:
                data = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return messages
            self._last_heard = self._clock()
            if (message := _decode(data)) is not None:
                messages.append(message)

    def close(self, *, linger_s: float = 1.0) -> None:
        """Give queued messages `linger_s` to leave, then close."""
        if self._socket is not None:
            self._socket.close(linger=int(linger_s * 1000))
        self._context.term()

    def _open(self, index: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, f"group-{self._group}.{index}".encode())
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.SNDHWM, 10_000)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        socket.curve_serverkey = self._connection.server_public.encode()
        socket.curve_publickey = self._connection.group_public.encode()
        socket.curve_secretkey = self._connection.group_secret.encode()
        socket.connect(self._connection.endpoints[index])
        return socket


def _decode(data: bytes) -> FromCampaign | None:
    try:
        return decode_from_campaign(data)
    except MalformedMessage as error:
        logger.error("dropped a malformed message of the campaign: %s", error)
        return None
