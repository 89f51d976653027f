"""A user without a name, and a machine that can't reach itself."""

from __future__ import annotations

import getpass
import os
import socket

import pytest

from hpc_nas.errors import LaunchError
from hpc_nas.platforms import addresses
from hpc_nas.platforms.doctor import _messages
from hpc_nas.platforms.user_name import name_user


def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", unknown)
    environment: dict[str, str] = {}
    name_user(environment)
    assert environment == {"LOGNAME": f"uid{os.getuid()}"}


def test_a_user_with_a_name_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    environment: dict[str, str] = {}
    name_user(environment)
    assert environment == {}


def test_no_loopback_is_said_by_run_and_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses.check_loopback()
    assert _messages().status == "OK"

    def unreachable(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(
        LaunchError, match=r"can't reach itself at 127.0.0.1: .*Network is unreachable; bring its"
    ):
        addresses.check_loopback()
    finding = _messages()
    assert finding.failed
    assert "Network is unreachable" in finding.detail
