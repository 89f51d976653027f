"""Where groups call: an encrypted socket that lets in this run's groups alone."""

from __future__ import annotations

import logging

import zmq
from zmq.auth.thread import ThreadAuthenticator

from hpc_nas.campaign.door import HANDSHAKE_MS, Door, most_waiting
from hpc_nas.errors import LaunchError
from hpc_nas.group.connection import Connection, ServerKeys
from hpc_nas.group.protocol import (
    MAX_MESSAGE_BYTES,
    FromCampaign,
    FromGroup,
    Hello,
    MalformedMessage,
    decode_from_group,
    encode,
)
from hpc_nas.platforms.addresses import LOOPBACK

logger = logging.getLogger(__name__)

ENCODED_AT_ONCE = 32  # messages that go to many groups, kept as they are sent


class _OneKey:
    """ZAP credentials: the run's own group key, no other."""

    def __init__(self, key: bytes):
        self._key = key

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._key


class Endpoint:
    """A ROUTER socket with CURVE; `poll` yields (group, message), malformed ones are logged and dropped.

    `addresses` are those to listen at and to publish. A resumed campaign passes the keys of the one before,
    with its port, so that groups still alive find it again.
    """

    def __init__(self, keys: ServerKeys, *, addresses: list[str]):
        self._context = zmq.Context()
        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(
            domain="*", credentials_provider=_OneKey(keys.group_public.encode())
        )
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 500)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self._socket.curve_server = True
        self._socket.curve_publickey = keys.server_public.encode()
        self._socket.curve_secretkey = keys.server_secret.encode()
        self._routes: dict[int, bytes] = {}
        self._settled: set[int] = set()
        self._encoded: dict[int, tuple[FromCampaign, bytes]] = {}
        self._door = Door(self._socket, max_waiting=most_waiting())
        port = self._bind(addresses, keys.port)
        self.keys = keys.model_copy(update={"port": port})
        self.connection = Connection(
            endpoints=[f"tcp://{address}:{port}" for address in addresses],
            server_public=keys.server_public,
            group_public=keys.group_public,
            group_secret=keys.group_secret,
        )

    def send(self, group: int, message: FromCampaign) -> bool:
        """Send to a group by the way it last spoke; False when it is gone.

        The same message to many groups, one after the other, is encoded once.
        """
        if group not in self._routes:
            return False
        try:
            self._socket.send_multipart([self._routes[group], self._bytes_of(message)], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            logger.info("could not send a %s to group %d: %s", message.kind, group, error)
            return False
        return True

    def _bytes_of(self, message: FromCampaign) -> bytes:
        known = self._encoded.get(id(message))
        if (
            known is not None
        ):  # the very same one: it is kept here, so that no other can have its place in memory
            return known[1]
        data = encode(message)
        if len(self._encoded) >= ENCODED_AT_ONCE:
            del self._encoded[next(iter(self._encoded))]
        self._encoded[id(message)] = (message, data)
        return data

    def poll(self, timeout_ms: int) -> list[tuple[int, FromGroup]]:
        """Messages that have come; waits up to `timeout_ms` for the first."""
        received: list[tuple[int, FromGroup]] = []
        if not self._socket.poll(timeout_ms):
            return received
        while len(received) < 1000:
            try:
                identity, data = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            except ValueError:
                logger.error("dropped a message that is not of two frames")
                continue
            try:
                group, message = _group(identity), decode_from_group(data)
            except (MalformedMessage, ValueError) as error:
                logger.error("dropped a malformed message from %r: %s", identity, error)
                continue
            self._learn_route(group, message, identity=identity)
            received.append((group, message))
        return received

    def _learn_route(self, group: int, message: FromGroup, *, identity: bytes) -> None:
        """A group greets at every address at once and goes on with one: what it says next shows which."""
        if not isinstance(message, Hello):
            self._settled.add(group)
        elif group in self._settled:
            return
        self._routes[group] = identity

    def close(self) -> None:
        """Close the socket; what is queued has half a second to leave."""
        self._door.close()
        self._socket.close()
        self._authenticator.stop()
        self._context.term()

    def _bind(self, addresses: list[str], port: int) -> int:
        if port:
            try:
                return self._bind_all(addresses, port)
            except zmq.ZMQError:
                logger.warning("port %d of the earlier campaign is taken; listening at another one", port)
        try:
            return self._bind_all(addresses, 0)
        except zmq.ZMQError as error:
            raise LaunchError(f"can't listen at {', '.join(addresses)}: {error}") from error

    def _bind_all(self, addresses: list[str], port: int) -> int:
        where = LOOPBACK if addresses == [LOOPBACK] else "0.0.0.0"
        if port:
            self._socket.bind(f"tcp://{where}:{port}")
            return port
        return int(self._socket.bind_to_random_port(f"tcp://{where}"))


def _group(identity: bytes) -> int:
    """`group-7.1` -> 7; the part after the dot tells a group's sockets apart."""
    prefix, _, rest = identity.decode(errors="replace").partition("-")
    number = rest.partition(".")[0]
    if prefix != "group" or not number.isdigit():
        raise ValueError(f"{identity!r} is not a group's name")
    return int(number)
