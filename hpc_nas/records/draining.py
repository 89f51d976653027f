"""Copies a group's files from its node's own disk to the run directory, whole files only.

A rank file is read as any other process reads it, through the SWMR reader, and published under its shared name
as a new whole file: a copy of the bytes of a file that is being written could be torn. The new file is made in
memory, so HDF5 never touches the shared file system. Of checkpoints, the latest of each candidate is copied.

The local files stay what they are. A problem (a full disk, say) is reported and passes: the next drain does what
this one could not.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from hpc_nas.errors import HpcNasError, RecordError
from hpc_nas.records.checkpoint_files import (
    CheckpointName,
    find_checkpoints,
    latest_checkpoint,
    remove_checkpoints,
)
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.hdf5 import LIBRARY_VERSIONS, create_tables, write_attributes
from hpc_nas.records.rank_file import RankFileContent
from hpc_nas.records.row_file import RowFileReader


class Drainer:
    """Drains one group that has a local directory, again and again; copies only what has changed."""

    def __init__(self, files: GroupFiles):
        if files.local_dir is None:
            raise ValueError(f"group {files.group} has no local directory: its files are where they belong")
        self._files = files
        self._local_dir = files.local_dir
        self._drained: dict[Path, tuple[int, int]] = {}
        self._done: set[Path] = set()
        self._copied: set[CheckpointName] = set()

    def drain(self) -> list[str]:
        """Copy what is new, while the group lives; what could not be copied, in words. Empty: all is there."""
        problems: list[str] = []
        for path in self._rank_files:
            stamp = _stamp(path)  # before the file is read: what comes after is for the next time
            if stamp is None or self._drained.get(path) == stamp:
                continue
            with _collected(problems, path):
                if (content := _read(path)) is not None:
                    self._publish(path, image_of(content))
                    self._drained[path] = stamp
        return problems + self._drain_checkpoints()

    def drain_all(self) -> list[str]:
        """Copy everything, once no process of the group is left; what could not be copied, in words.

        A file that is no rank file goes over byte by byte. Whatever seemed unchanged is read once more: a file's
        time is too coarse to tell two writes in a row apart.
        """
        problems: list[str] = []
        for path in self._rank_files:
            if path in self._done:
                continue
            with _collected(problems, path):
                self._publish(path, _last_image(path))
                self._done.add(path)
        return problems + self._drain_checkpoints()

    @property
    def _rank_files(self) -> list[Path]:
        return sorted(self._local_dir.glob("*.h5"))

    def _publish(self, path: Path, content: bytes) -> None:
        directory = self._files.run_directory
        directory.publish(directory.group_dir(self._files.group) / path.name, content)

    def _drain_checkpoints(self) -> list[str]:
        problems: list[str] = []
        source, target = self._files.periodic_checkpoints_dir, self._files.run_directory.checkpoints_dir
        latest: dict[int, CheckpointName] = {}
        with _collected(problems, source):
            latest = {
                name.candidate: name for name in find_checkpoints(source)
            }  # sorted: the last one stands
        for name in latest.values():
            # Once only: the campaign removes the checkpoints of a candidate that has ended.
            if name in self._copied:
                continue
            with _collected(problems, source / str(name)):
                shared = latest_checkpoint(target, candidate=name.candidate)
                if shared is None or shared < name:
                    self._copy(source / str(name), target / str(name))
                    remove_checkpoints(target, candidate=name.candidate, before=name)
                self._copied.add(name)
        return problems

    def _copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_name(f".{target.name}.group-{self._files.group:05d}.tmp")
        try:
            with open(source, "rb") as reading, open(temporary, "wb") as writing:
                shutil.copyfileobj(reading, writing, length=1 << 20)
                writing.flush()
                os.fsync(writing.fileno())
            os.replace(temporary, target)
        except FileNotFoundError:
            if source.exists():
                raise
            # Its trainer has written a later one meanwhile, or its candidate has ended.
            temporary.unlink(missing_ok=True)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def image_of(content: RankFileContent) -> bytes:
    """The bytes of a closed row file with this content."""
    image = io.BytesIO()  # closed, then read: of an open file HDF5 1.14 gives a damaged one
    with h5py.File(image, "w", libver=LIBRARY_VERSIONS) as file:
        write_attributes(file, content.attributes)
        create_tables(file, content.tables)
    return image.getvalue()


def _read(path: Path) -> RankFileContent | None:
    """What a rank file holds; None for one that is still being born. Raises RecordError."""
    reader = RowFileReader.try_open(path)
    if reader is None:
        return None
    with reader:
        # Last table first: a row on how an attempt ended is written after the rows that it sums up, so that
        # reading it first never finds it without them.
        rows = {name: reader.read_all(name) for name in reversed(reader.tables)}
        return RankFileContent(
            attributes=reader.attributes, tables={name: rows[name] for name in reader.tables}
        )


def _last_image(path: Path) -> bytes:
    """What is to lie in the run directory for a file that nobody writes any more."""
    try:
        content = _read(path)
    except RecordError:
        content = None
    return path.read_bytes() if content is None else image_of(content)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


@contextlib.contextmanager
def _collected(problems: list[str], path: Path) -> Iterator[None]:
    """What can't be copied now is told, and holds up nothing else."""
    try:
        yield
    except HpcNasError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{path} can't be copied: {error.strerror or error}")
