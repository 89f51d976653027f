"""A checkpoint as a file: published whole, read without running anything that is in it, checked before it is used."""

from __future__ import annotations

import contextlib
import os
import socket
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from hpc_nas.training.checkpoint import Checkpoint, NoCheckpoint, TrainingPosition
from hpc_nas.values import Candidate

SCHEMA_VERSION = 1
_KEYS = {"schema_version", "origin", "position", "state"}


class Origin(BaseModel):
    """What shapes a training besides the candidate and the device; compared as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    training: str
    space: str
    data: str


def write_checkpoint(path: Path, checkpoint: Checkpoint, *, origin: Origin) -> None:
    """Put it there whole and on the disk, or leave what was there. Raises OSError, RuntimeError (torch's writer)."""
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.tmp")
    content = {
        "schema_version": SCHEMA_VERSION,
        "origin": origin.model_dump_json(),
        "position": checkpoint.position.model_dump_json(),
        "state": checkpoint.state,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A stream of ours, not a path: a full disk is then an OSError, and other threads run meanwhile.
        with temporary.open("wb") as stream:
            _save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _save(content: dict[str, Any], stream: BinaryIO) -> None:
    try:
        torch.save(content, stream)
    except RuntimeError as error:
        # On its way out torch's writer complains of the position, and hides what the disk said.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def read_checkpoint(
    path: Path, *, candidate: Candidate, origin: Origin, device: torch.device
) -> Checkpoint | NoCheckpoint:
    """The checkpoint in this file, if it is whole and of this candidate's training on such a device.

    Raises OSError where the file can't be read.
    """
    content = _load(path)
    if isinstance(content, NoCheckpoint):
        return content
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        return NoCheckpoint(
            message=f"{path}: schema version {version!r}; this hpc-nas reads {SCHEMA_VERSION}: go on with the one "
            "that wrote it"
        )
    try:
        if set(content) != _KEYS or not isinstance(content["state"], dict):
            raise ValueError(f"holds {sorted(map(str, content))}; expected {sorted(_KEYS)}")
        stated = Origin.model_validate_json(content["origin"])
        position = TrainingPosition.model_validate_json(content["position"])
    except (ValidationError, ValueError, KeyError) as error:
        return NoCheckpoint(message=f"{path}: no checkpoint of hpc-nas: {error}")
    differs = _difference(position, stated, candidate=candidate, origin=origin, device=device)
    if differs:
        return NoCheckpoint(message=f"{path}: {differs}")
    return Checkpoint(position=position, state=content["state"])


def _load(path: Path) -> dict[str, Any] | NoCheckpoint:
    try:
        with path.open("rb") as stream:
            # torch does not look at the checksums: a flipped bit would become a weight.
            with zipfile.ZipFile(stream) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                return NoCheckpoint(message=f"{path}: damaged: the checksum of {damaged} is wrong")
            stream.seek(0)
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever torch says to bytes that are no checkpoint
        line = (str(error).strip().splitlines() or [""])[0]
        return NoCheckpoint(message=f"{path}: damaged, or no checkpoint: {type(error).__name__}: {line}")
    if not isinstance(content, dict):
        return NoCheckpoint(message=f"{path}: no checkpoint of hpc-nas: holds a {type(content).__name__}")
    return content


def _difference(
    position: TrainingPosition, stated: Origin, *, candidate: Candidate, origin: Origin, device: torch.device
) -> str:
    """What a checkpoint is of that it should not be; empty if it fits."""
    theirs, ours = position.candidate, candidate
    if (theirs.number, theirs.seed, theirs.parameters) != (ours.number, ours.seed, ours.parameters):
        return f"of candidate {theirs.number} with seed {theirs.seed}, or other parameters; this is {ours.number}"
    for name in Origin.model_fields:
        if getattr(stated, name) != getattr(origin, name):
            return f"of another [{name}]: {getattr(stated, name)}; now {getattr(origin, name)}"
    if position.device != device.type:
        return f"made on {position.device}; the generators of {device.type} can't go on from it"
    return ""


def _sync_directory(directory: Path) -> None:
    """So that the name survives a loss of power; a file system that knows no such thing is none the worse."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
