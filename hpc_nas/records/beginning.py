"""A campaign that was cut off before it had begun, by a kill or a full disk: what it leaves is begun anew.

A campaign has begun once `configuration.json` is there. What is made before that holds nothing that anybody could
want, and is known by its names and by what it holds: anything else in the directory is the user's.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hpc_nas.records.campaign_lock import is_lock

DIRECTORIES = ("private", "groups")
LOCK = "campaign.lock"
WARM_START = "warm_start.json"
_HALF_WRITTEN = re.compile(r"\.(configuration|warm_start)\.json\.\d+\.tmp")


def foreign_names(directory: Path) -> list[str]:
    """What lies in this directory and was not left by the beginning of a campaign, sorted. Raises OSError."""
    with os.scandir(directory) as found:
        entries = list(found)
    locked = any(entry.name == LOCK and _is_file(entry) and is_lock(Path(entry)) for entry in entries)
    return sorted(entry.name for entry in entries if not _is_ours(entry, locked=locked))


def clear(directory: Path) -> None:
    """Take away the files of a beginning that was cut off; the lock is held, no campaign lies here. Raises OSError."""
    for name in os.listdir(directory):
        if _is_name_of_a_beginning(name):
            (directory / name).unlink()


def _is_ours(entry: os.DirEntry[str], *, locked: bool) -> bool:
    if entry.name in DIRECTORIES:
        return entry.is_dir(follow_symlinks=False) and not os.listdir(entry)
    return locked and _is_file(entry) and (entry.name == LOCK or _is_name_of_a_beginning(entry.name))


def _is_name_of_a_beginning(name: str) -> bool:
    return name == WARM_START or _HALF_WRITTEN.fullmatch(name) is not None


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)
