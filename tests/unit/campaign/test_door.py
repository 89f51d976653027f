"""What strangers at the campaign's port can do: take a few descriptors for a moment, and nothing else."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.campaign.door import FEWEST, MAX_DESCRIPTORS, most_waiting, raise_descriptor_limit
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.group import protocol
from hpc_nas.group.campaign_socket import CampaignSocket
from hpc_nas.group.connection import Connection, new_keys
from hpc_nas.platforms.addresses import LOOPBACK
from tests.strangers import GREETING, Strangers, strangers_at

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 256  # descriptors of the campaign's part below
WAIT_S = 30.0
STRANGERS_AFTER_IT = 200

# A campaign's end of the line with few descriptors; says who called, and how many it has open.
_CAMPAIGN = f"""\
import json, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))
from hpc_nas.campaign.endpoint import LOOPBACK, Endpoint
from hpc_nas.group import protocol
from hpc_nas.group.connection import new_keys
endpoint = Endpoint(new_keys(), addresses=[LOOPBACK])
print(endpoint.connection.model_dump_json(), flush=True)
while True:
    for group, message in endpoint.poll(50):
        if isinstance(message, protocol.Hello):
            endpoint.send(group, protocol.Welcome(chance_accuracy=10.0))
        with open(sys.argv[1]) as file:  # what a campaign needs of its descriptors
            open_now = len(os.listdir("/proc/self/fd"))
        print(json.dumps([group, message.kind, open_now]), flush=True)
"""


class Caller:
    """The campaign's part, in a process of its own."""

    def __init__(self, tmp_path: Path):
        (tmp_path / "some-file").touch()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CAMPAIGN, str(tmp_path / "some-file")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self._told = self.process.stdout
        self.connection = Connection.model_validate_json(self._told.readline())

    @property
    def port(self) -> int:
        return int(self.connection.endpoints[0].rpartition(":")[2])

    def heard(self) -> Any:
        return json.loads(self._told.readline())

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Caller]:
    subject = Caller(tmp_path)
    yield subject
    subject.process.kill()
    subject.process.communicate()


@contextmanager
def group(connection: Connection, number: int) -> Iterator[CampaignSocket]:
    """A group with the key that is let in."""
    link = CampaignSocket(connection, group=number)
    try:
        welcome = link.connect(protocol.Hello(host="n1", pid=1), timeout_s=WAIT_S)
        assert welcome == protocol.Welcome(chance_accuracy=10.0)
        yield link
    finally:
        link.close()


def until(condition: Any, *, what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("says", [b"", GREETING, b"GET / HTTP/1.1\r\n\r\n"])
def test_a_thousand_strangers_leave_the_campaign_its_descriptors_and_groups_get_in(
    campaign: Caller, says: bytes
) -> None:
    with group(campaign.connection, 1) as first:
        assert campaign.heard()[:2] == [1, "hello"]
        with strangers_at(campaign.port, count=1080, says=says) as strangers:
            until(lambda: campaign.descriptors() <= LIMIT // 2, what="descriptors for the campaign itself")
            with group(campaign.connection, 2):
                kind = campaign.heard()
                assert kind[:2] == [2, "hello"]
                assert kind[2] <= LIMIT // 2
            first.send(protocol.Beat(credits=1))  # one that was there before is not shut
            while (heard := campaign.heard())[:2] != [1, "beat"]:
                assert heard[0] == 2
            assert strangers.shut() >= len(strangers) - LIMIT // 2
        assert campaign.process.poll() is None


def test_group_gets_in_while_strangers_keep_coming(campaign: Caller) -> None:
    with Strangers(campaign.port) as strangers:
        strangers.come(300)
        link = CampaignSocket(campaign.connection, group=5)
        socket = link._open(0)
        socket.send(protocol.encode(protocol.Hello(host="n1", pid=1)))
        for _ in range(STRANGERS_AFTER_IT):  # at a pace that leaves a busy machine time for one handshake
            if socket.poll(20):
                break
            strangers.come(1)
        assert socket.poll(int(1000 * WAIT_S)), "the group was not let in"
        socket.close(linger=0)
        link.close()


def test_few_that_wait_are_left_alone() -> None:
    """Hundreds of groups may start at once, and each needs a moment for its handshake."""
    endpoint = Endpoint(new_keys(), addresses=[LOOPBACK])
    try:
        with strangers_at(endpoint.keys.port, count=FEWEST) as strangers:
            endpoint.poll(200)
            assert strangers.shut() == 0
    finally:
        endpoint.close()


def test_process_takes_the_descriptors_that_it_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
        assert most_waiting() == FEWEST
        taken = raise_descriptor_limit()
        hard = MAX_DESCRIPTORS if before[1] == resource.RLIM_INFINITY else min(before[1], MAX_DESCRIPTORS)
        assert taken == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (taken, before[1])
        assert raise_descriptor_limit() == taken
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
