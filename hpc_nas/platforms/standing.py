"""What is said of a group in its directory: where it is, and how it ended.

Its keeper says so; its supervisor does for a group that is parked, and where the keeper was killed.

Parsl hears of a group's end through the worker pool that started it; when that has been killed, this file tells
at once what Parsl would only guess after some missed heartbeats.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.group_files import GroupFiles

TELL_INTERVAL_S = 10.0
"""A living group's sign of life in the run directory is no older than this by much."""


@dataclass(frozen=True, kw_only=True)
class GroupExit:
    """How the launch of a group ended."""

    group: int
    exit_code: int
    killed: str  # why its keeper killed a group that hung or would not leave, or died with it; else empty
    host: str = ""
    told: str = ""  # why its keeper told it to leave; empty if it did not
    undrained: str = ""  # what still lies on the node's disk, and where; empty if all is in the run directory


class Standing(BaseModel):
    """One group, as its keeper or its supervisor last knew it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = 1
    group: int
    host: str
    pid: int
    state: Literal["running", "parked", "ended"]
    why: str = ""
    local_dir: str | None = None
    exit: GroupExit | None = None


def publish_standing(files: GroupFiles, standing: Standing) -> None:
    """Write it whole, or leave what was there: a full disk must not end a group that runs."""
    with suppress(RunDirectoryError):
        files.run_directory.publish(files.standing_path, standing.model_dump_json())


def read_standing(path: Path) -> Standing | None:
    """None where there is none, or none that can be read."""
    try:
        return Standing.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def to_line(exit: GroupExit) -> bytes:
    """An exit as one line of JSON, for the pipe from the keeper to its supervisor."""
    return json.dumps(asdict(exit)).encode() + b"\n"


def from_line(line: bytes) -> GroupExit | None:
    """None for a line that was cut short."""
    try:
        return GroupExit(**json.loads(line))
    except (ValueError, TypeError):
        return None
