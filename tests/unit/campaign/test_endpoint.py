"""The line between campaign and groups: who gets through, what is dropped, which address is found."""

from __future__ import annotations

import logging
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.run import _listen
from hpc_nas.configuration import Configuration, PlatformSection, Scheduler
from hpc_nas.errors import LaunchError
from hpc_nas.group import protocol
from hpc_nas.group.campaign_socket import CampaignSocket
from hpc_nas.group.connection import Connection, new_keys, read_connection
from hpc_nas.platforms.addresses import LOOPBACK, interface_addresses
from hpc_nas.records.run_directory import RunDirectory

HELLO = protocol.Hello(host="node1", pid=7)
WAIT_MS = 120_000
REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_DISCONNECTED,
)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    subject = Endpoint(new_keys(), addresses=[LOOPBACK])
    yield subject
    subject.close()


@contextmanager
def client(connection: Connection, *, identity: bytes = b"group-3.0", curve: bool = True) -> Iterator[Any]:
    """A ZeroMQ socket of whoever calls, with the keys of `connection`, or with none."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as caller:
        caller.setsockopt(zmq.IDENTITY, identity)
        caller.setsockopt(zmq.LINGER, 0)
        if curve:
            caller.curve_serverkey = connection.server_public.encode()
            caller.curve_publickey = connection.group_public.encode()
            caller.curve_secretkey = connection.group_secret.encode()
        yield caller


def hear(endpoint: Endpoint, count: int) -> list[tuple[int, protocol.FromGroup]]:
    """The next `count` messages; fails loudly when they don't come."""
    heard: list[tuple[int, protocol.FromGroup]] = []
    deadline = time.monotonic() + WAIT_MS / 1000
    while len(heard) < count:
        assert time.monotonic() < deadline, f"nothing more came after {heard}"
        heard += endpoint.poll(100)
    return heard


def until_refused(caller: Any, url: str) -> None:
    """Greet, and wait until ZeroMQ itself says that the other side has refused."""
    monitor = caller.get_monitor_socket()
    caller.connect(url)
    with suppress(zmq.Again):  # refused already: there is nobody to send to
        caller.send(protocol.encode(HELLO), zmq.DONTWAIT)
    event: Any = None
    while event not in REFUSED:
        assert event != zmq.EVENT_HANDSHAKE_SUCCEEDED
        assert monitor.poll(WAIT_MS), "neither let in nor refused"
        event = recv_monitor_message(monitor)["event"]
    caller.disable_monitor()
    monitor.close()


def stranger_of(connection: Connection, *, kind: str) -> Connection:
    """What somebody knows who lacks one secret or the other."""
    own = new_keys()
    if kind == "another group's key":
        return connection.model_copy(
            update={"group_public": own.group_public, "group_secret": own.group_secret}
        )
    if kind == "the right public key without its secret":
        return connection.model_copy(update={"group_secret": own.group_secret})
    return connection.model_copy(update={"server_public": own.server_public})


# --- who gets through ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "no key at all",
        "another group's key",
        "the right public key without its secret",
        "another server's key",
    ],
)
def test_stranger_gets_nothing_through_and_a_group_does(endpoint: Endpoint, kind: str) -> None:
    known = stranger_of(endpoint.connection, kind=kind)
    url = endpoint.connection.endpoints[0]
    with client(known, curve=kind != "no key at all") as stranger, client(endpoint.connection) as group:
        until_refused(stranger, url)
        group.connect(url)
        group.send(protocol.encode(HELLO))
        assert hear(endpoint, 1) == [(3, HELLO)]
        endpoint.send(3, protocol.Welcome(chance_accuracy=10.0))
        assert group.poll(WAIT_MS)
        assert protocol.decode_from_campaign(group.recv()) == protocol.Welcome(chance_accuracy=10.0)
        assert stranger.poll(0) == 0
    assert endpoint.poll(0) == []


def test_noise_on_the_port_does_no_harm(endpoint: Endpoint) -> None:
    port = endpoint.keys.port
    with socket.create_connection((LOOPBACK, port)) as noise, client(endpoint.connection) as group:
        noise.sendall(b"GET / HTTP/1.1\r\nHost: campaign\r\n\r\n" + bytes(range(256)) * 16)
        group.connect(endpoint.connection.endpoints[0])
        group.send(protocol.encode(HELLO))
        assert hear(endpoint, 1) == [(3, HELLO)]


def test_secrets_lie_in_files_for_their_owner_alone(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    with ExitStack() as stack:
        endpoint = _listen(directory, configuration=Configuration(), stack=stack)
        assert read_connection(directory.connection_path) == endpoint.connection
    assert stat.S_IMODE(directory.private_dir.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.private_dir.iterdir()}
    assert modes == {"connection.json": 0o600, "server-keys.json": 0o600}
    assert endpoint.keys.server_secret not in directory.connection_path.read_text()


def test_resumed_campaign_is_found_where_the_old_one_was(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    found = []
    configuration = Configuration(platform=PlatformSection(scheduler=Scheduler.SLURM))
    for _ in range(2):
        with ExitStack() as stack:
            found.append(_listen(directory, configuration=configuration, stack=stack).connection)
    assert found[0] == found[1]
    assert found[0].endpoints == [
        f"{address}:{found[0].endpoints[0].rpartition(':')[2]}"
        for address in (f"tcp://{ip}" for ip in interface_addresses())
    ]


def test_campaign_whose_groups_are_all_on_its_own_machine_listens_to_no_other(tmp_path: Path) -> None:
    with ExitStack() as stack:
        endpoint = _listen(RunDirectory.create(tmp_path / "run"), configuration=Configuration(), stack=stack)
        assert endpoint.connection.endpoints == [f"tcp://{LOOPBACK}:{endpoint.keys.port}"]
        other = next((ip for ip in interface_addresses() if ip != LOOPBACK), "127.0.0.2")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other, endpoint.keys.port), timeout=5.0)


def test_port_that_is_taken_is_given_up(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    other = Endpoint(endpoint.keys, addresses=[LOOPBACK])
    other.close()
    assert other.keys.port != endpoint.keys.port
    assert [record.getMessage() for record in caplog.records] == [
        f"port {endpoint.keys.port} of the earlier campaign is taken; listening at another one"
    ]


# --- what is dropped -----------------------------------------------------------------------------------------


def test_malformed_messages_are_dropped_and_the_endpoint_goes_on(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    beat = protocol.Beat(credits=2)
    with client(endpoint.connection) as group:
        group.connect(endpoint.connection.endpoints[0])
        for data in (b"", b"\x80\x04\x95pickle", b"{}", b'{"kind": "hello", "pid": 1, "x": 2}'):
            group.send(data)
        group.send_multipart([b"two", b"frames"])
        group.send(protocol.encode(beat))
        with caplog.at_level(logging.ERROR):
            assert hear(endpoint, 1) == [(3, beat)]
    assert sum("dropped a malformed message" in record.getMessage() for record in caplog.records) == 4
    assert sum("not of two frames" in record.getMessage() for record in caplog.records) == 1


def test_oversized_message_ends_its_connection_and_no_other(endpoint: Endpoint) -> None:
    too_long = b'{"kind": "hello", "host": "' + b"x" * protocol.MAX_MESSAGE_BYTES + b'", "pid": 1}'
    beat = protocol.Beat(credits=2)
    with (
        client(endpoint.connection, identity=b"group-4.0") as greedy,
        client(endpoint.connection) as group,
    ):
        greedy.connect(endpoint.connection.endpoints[0])
        group.connect(endpoint.connection.endpoints[0])
        greedy.send(too_long)
        group.send(protocol.encode(beat))
        assert hear(endpoint, 1) == [(3, beat)]
        assert endpoint.poll(200) == []


@pytest.mark.parametrize(
    "identity", [b"trainer-3", b"group-", b"group-x.0", b"group--1.0", b"\xff\xfe", "group-²".encode()]
)
def test_who_has_no_groups_name_is_not_heard(endpoint: Endpoint, identity: bytes) -> None:
    beat = protocol.Beat(credits=2)
    with client(endpoint.connection, identity=identity) as foreign, client(endpoint.connection) as group:
        foreign.connect(endpoint.connection.endpoints[0])
        foreign.send(protocol.encode(HELLO))
        assert endpoint._socket.poll(WAIT_MS)  # it has come, and is dropped by the next poll
        group.connect(endpoint.connection.endpoints[0])
        group.send(protocol.encode(beat))
        assert hear(endpoint, 1) == [(3, beat)]


def test_what_is_meant_for_a_group_that_is_gone_is_lost_in_silence(endpoint: Endpoint) -> None:
    endpoint.send(9, protocol.Beat())  # never heard of
    with client(endpoint.connection) as group:
        group.connect(endpoint.connection.endpoints[0])
        group.send(protocol.encode(HELLO))
        hear(endpoint, 1)
    endpoint.send(3, protocol.Beat())
    assert endpoint.poll(0) == []


# --- the group's end of the line -----------------------------------------------------------------------------


def test_group_finds_the_one_address_that_answers(endpoint: Endpoint) -> None:
    """Nobody listens at the first address; the link probes all and keeps the second."""
    with socket.socket() as reserved:
        reserved.bind((LOOPBACK, 0))  # bound and never listening: whoever connects is refused
        dead = f"tcp://{LOOPBACK}:{reserved.getsockname()[1]}"
        connection = endpoint.connection.model_copy(
            update={"endpoints": [dead, *endpoint.connection.endpoints]}
        )
        link = CampaignSocket(connection, group=3)
        welcome = protocol.Welcome(chance_accuracy=12.5)
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(link.connect, HELLO, timeout_s=WAIT_MS / 1000)
            assert hear(endpoint, 1) == [(3, HELLO)]
            endpoint.send(3, welcome)
            assert answer.result() == welcome
        assert link.connected
        link.send(protocol.Goodbye(reason="done"))
        assert hear(endpoint, 1) == [(3, protocol.Goodbye(reason="done"))]
        endpoint.send(3, protocol.Acknowledge(candidate=1, attempt=0))
        assert link.poll(WAIT_MS) == [protocol.Acknowledge(candidate=1, attempt=0)]
        link.close()


def test_group_without_a_campaign_names_the_addresses_it_tried() -> None:
    with socket.socket() as first, socket.socket() as second:
        urls = []
        for silent in (first, second):
            silent.bind((LOOPBACK, 0))
            urls.append(f"tcp://{LOOPBACK}:{silent.getsockname()[1]}")
        second.listen()  # this one takes the call and never says a word
        keys = new_keys()
        connection = Connection(
            endpoints=urls,
            server_public=keys.server_public,
            group_public=keys.group_public,
            group_secret=keys.group_secret,
        )
        link = CampaignSocket(connection, group=3)
        with pytest.raises(LaunchError) as refused:
            link.connect(HELLO, timeout_s=0.3)
        link.close()
    assert str(refused.value) == (
        f"group 3: the campaign did not answer within 0.3 s at any of its addresses ({urls[0]}, {urls[1]}); "
        "is one of them reachable from this node?"
    )


def test_malformed_message_of_the_campaign_is_dropped(endpoint: Endpoint) -> None:
    link = CampaignSocket(endpoint.connection, group=3)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(link.connect, HELLO, timeout_s=WAIT_MS / 1000)
        hear(endpoint, 1)
        route = endpoint._routes[3]
        for data in (b"nonsense", protocol.encode(protocol.Beat())):
            endpoint._socket.send_multipart([route, data])
        endpoint.send(3, protocol.Welcome(chance_accuracy=1.0))
        assert answer.result() == protocol.Welcome(chance_accuracy=1.0)
    endpoint._socket.send_multipart([route, b'{"kind": "leave"}'])
    endpoint.send(3, protocol.Leave(reason="enough"))
    heard: list[protocol.FromCampaign] = []
    while not heard:
        heard = link.poll(WAIT_MS)
    assert heard == [protocol.Leave(reason="enough")]
    link.close()


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"endpoints": []}'])
def test_connection_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "connection.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LaunchError, match=r"connection\.json: can't be read as a connection file"):
        read_connection(path)
