"""What opens the line between a campaign and its groups: addresses and CURVE keys, made per run.

The files that hold them have mode 0600 inside a directory of mode 0700.
"""

from __future__ import annotations

from pathlib import Path

import zmq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hpc_nas.errors import LaunchError


class _Secret(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ServerKeys(_Secret):
    """The campaign's own half: kept so that a resumed campaign can speak to groups of the one before it."""

    port: int = Field(description="the port it listens at; 0: any")
    server_public: str
    server_secret: str
    group_public: str = Field(description="the only client key that is let in")
    group_secret: str


class Connection(_Secret):
    """What a worker group needs to reach its campaign. Keys are Z85 text, as ZeroMQ writes them."""

    endpoints: list[str] = Field(min_length=1, description="one per network address of the campaign's host")
    server_public: str
    group_public: str
    group_secret: str


def new_keys() -> ServerKeys:
    """Fresh key pairs for a campaign and for its groups."""
    server_public, server_secret = zmq.curve_keypair()
    group_public, group_secret = zmq.curve_keypair()
    return ServerKeys(
        port=0,
        server_public=server_public.decode(),
        server_secret=server_secret.decode(),
        group_public=group_public.decode(),
        group_secret=group_secret.decode(),
    )


def read_connection(path: Path) -> Connection:
    """The connection file of a run. Raises LaunchError when it is missing or not one."""
    try:
        return Connection.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LaunchError(f"{path}: can't be read as a connection file: {error}") from error
