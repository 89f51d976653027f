"""What is said of a group in its directory: where it is, and how it ended.

Its agent says so; its group task does where it only holds the slot, and where the agent was killed.

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
    killed: str  # why its agent killed a group that hung or would not leave, or died with it; else empty
    host: str = ""
    told: str = ""  # why its agent told it to leave; empty if it did not
    undrained: str = ""  # what still lies on the node's disk, and where; empty if all is in the run directory


class GroupStatus(BaseModel):
    """One group, as its agent or its group task last knew it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = 1
    group: int
    host: str
    pid: int
    state: Literal["running", "holding", "ended"]
    why: str = ""
    local_dir: str | None = None
    exit: GroupExit | None = None


def publish_status(files: GroupFiles, status: GroupStatus) -> None:
    """Write it whole, or leave what was there: a full disk must not end a group that runs."""
    with suppress(RunDirectoryError):
        files.run_directory.publish(files.status_path, status.model_dump_json())


def read_status(path: Path) -> GroupStatus | None:
    """None where there is none, or none that can be read."""
    try:
        return GroupStatus.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def to_line(exit: GroupExit) -> bytes:
    """An exit as one line of JSON, for the pipe from the agent to its group task."""
    return json.dumps(asdict(exit)).encode() + b"\n"


def from_line(line: bytes) -> GroupExit | None:
    """None for a line that was cut short."""
    try:
        return GroupExit(**json.loads(line))
    except (ValueError, TypeError):
        return None
