"""The addresses by which other nodes may reach this one."""

from __future__ import annotations

import socket

import psutil

from hpc_nas.configuration import Configuration, Scheduler
from hpc_nas.errors import LaunchError

LOOPBACK = "127.0.0.1"
ANSWER_WITHIN_S = 5.0


def check_loopback() -> None:
    """Raises LaunchError where this machine can't reach itself: ranks, Parsl and groups all talk over that address."""
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=ANSWER_WITHIN_S).close()
    except OSError as error:
        raise LaunchError(
            f"this machine can't reach itself at {LOOPBACK}: {error}; bring its loopback interface up (ip link set lo "
            "up), or let the container have a network"
        ) from error


def listening_addresses(configuration: Configuration) -> list[str]:
    """Where this host is reached by the campaign's groups and worker pools: nowhere else than where they are."""
    if configuration.platform.scheduler == Scheduler.NONE:
        return [LOOPBACK]
    return configuration.platform.addresses or interface_addresses()


def interface_addresses() -> list[str]:
    """All IPv4 addresses of this host that another node may reach, loopback last."""
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    return [*found, LOOPBACK]
