"""The addresses by which other nodes may reach this one."""

from __future__ import annotations

import socket

import psutil

LOOPBACK = "127.0.0.1"


def interface_addresses() -> list[str]:
    """All IPv4 addresses of this host that another node may reach, loopback last."""
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    return [*found, LOOPBACK]
