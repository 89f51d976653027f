"""The names of checkpoints: which candidate, which attempt, how far; found, chosen and removed by name alone.

A checkpoint is published whole (`os.replace`); what is inside is the trainer's affair (`training.checkpoint`). The
name is all that a campaign needs: it never opens one. Two more kinds of file lie beside them: `.NAME.WRITER.tmp`, which
is being written or was when its writer died, and `NAME.unusable`, which a trainer could not go on from.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.errors import RecordError

UNUSABLE = ".unusable"
_NAME = re.compile(r"candidate-(\d{5,})-attempt-(\d{3,})-batch-(\d{8,})\.pt")
_LEFTOVER = re.compile(rf"\.(?P<torn>{_NAME.pattern})\..*\.tmp|(?P<refused>{_NAME.pattern})\{UNUSABLE}")


@dataclass(frozen=True, kw_only=True, order=True)
class CheckpointName:
    """What the name of a checkpoint says; the later one sorts behind."""

    candidate: int
    batches: int
    attempt: int

    def __str__(self) -> str:
        return f"candidate-{self.candidate:05d}-attempt-{self.attempt:03d}-batch-{self.batches:08d}.pt"

    @classmethod
    def parse(cls, name: str) -> CheckpointName | None:
        """None for a name that is no checkpoint's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        candidate, attempt, batches = map(int, found.groups())
        return cls(candidate=candidate, attempt=attempt, batches=batches)


def find_checkpoints(directory: Path) -> list[CheckpointName]:
    """All that lie there, sorted by candidate and by how far they are; none where there is no such directory.

    Raises RecordError for a directory that can't be read.
    """
    names = (CheckpointName.parse(name) for name in _entries(directory))
    return sorted(name for name in names if name is not None)


def latest_checkpoint(directory: Path, *, candidate: int) -> CheckpointName | None:
    """The candidate's checkpoint with the most batches; None where it has none. Raises RecordError."""
    return max((name for name in find_checkpoints(directory) if name.candidate == candidate), default=None)


def remove_checkpoints(directory: Path, *, candidate: int, before: CheckpointName | None = None) -> None:
    """Remove all checkpoints of a candidate, or those before one of them; what is gone already is no error.

    With all of them goes what else lies there of the candidate: torn and unusable ones. What can't be removed stays.
    """
    if before is None:
        remove_checkpoints_of(directory, {candidate})
        return
    with contextlib.suppress(RecordError):
        for name in find_checkpoints(directory):
            if name.candidate == candidate and name < before:
                _unlink(directory / str(name))


def remove_checkpoints_of(directory: Path, candidates: Collection[int]) -> None:
    """Remove all that lies there of these candidates; the directory is listed once for all of them."""
    with contextlib.suppress(RecordError):
        for entry in _entries(directory):
            found = _LEFTOVER.fullmatch(entry)
            owner = CheckpointName.parse(entry if found is None else found["torn"] or found["refused"])
            if owner is not None and owner.candidate in candidates:
                _unlink(directory / entry)


def set_aside(path: Path) -> None:
    """Nobody is to go on from it again; the file stays, under another name, for people to look at."""
    with contextlib.suppress(OSError):
        os.replace(path, path.with_name(path.name + UNUSABLE))


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RecordError(
            f"{directory}: can't be read: {error.strerror}; what it holds is intact. "
            "Make it readable, then resume the campaign"
        ) from error


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
