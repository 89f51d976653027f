"""Files of one JSON line per event, append-only: the first line names the schema version.

A line counts once its newline is there, so a kill can only leave the last one damaged.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from hpc_nas.errors import RecordError

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class JsonLines(Generic[_T]):
    """What a file says. `damaged_tail` is the text of a last line that was cut short, None without one."""

    events: tuple[_T, ...]
    damaged_tail: str | None
    num_bytes: int  # of the sound part


def read_json_lines(
    path: str | os.PathLike[str], *, header: bytes, foreign: str, parse: Callable[[bytes], _T]
) -> JsonLines[_T]:
    """Read all events; a damaged last line is dropped and told. `parse` raises ValueError for a damaged one.

    Raises RecordError for a missing file, for one that does not begin with the `header` (`foreign` says what it is
    not), and for damage before the last line, with its number.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    if not data.startswith(header):
        if header.startswith(data):  # killed while it was born
            return JsonLines(events=(), damaged_tail=data.decode() or None, num_bytes=0)
        raise RecordError(f"{path}: {foreign}; it begins with {data[:60]!r}")
    events: list[_T] = []
    position = len(header)
    while position < len(data):
        end = data.find(b"\n", position) + 1
        line = data[position : end or len(data)]
        try:
            if not end:
                raise ValueError("it has no end")
            events.append(parse(line))
        except ValueError as error:
            if position + len(line) == len(data):
                tail = line.decode(errors="replace")
                return JsonLines(events=tuple(events), damaged_tail=tail, num_bytes=position)
            raise RecordError(
                f"{path}, line {len(events) + 2}: damaged ({_brief(error)}); only the last line may be. "
                "Restore the file from a copy"
            ) from error
        position = end
    return JsonLines(events=tuple(events), damaged_tail=None, num_bytes=position)


class LineFile:
    """The file to append to, from its first `num_bytes` on, the sound part; 0 makes a new one.

    Raises RecordError where the file can't be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, num_bytes: int):
        self._path = Path(path)
        self.num_bytes = num_bytes
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._descriptor, num_bytes)
        except OSError as error:
            raise self._error(error) from error

    @property
    def closed(self) -> bool:
        return self._descriptor < 0

    def write(self, data: bytes) -> None:
        """Write all or nothing; it survives the end of this process, not that of the machine."""
        self._write(data, settle=lambda descriptor: None)

    def write_through(self, data: bytes) -> None:
        """Write all or nothing; it survives any crash once this returns."""
        self._write(data, settle=os.fsync)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, data: bytes, *, settle: Callable[[int], None]) -> None:
        try:
            rest = memoryview(data)
            while rest:  # more than once only where the disk is about to be full
                rest = rest[os.write(self._descriptor, rest) :]
            settle(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.num_bytes)
            raise self._error(error) from error
        self.num_bytes += len(data)

    def _error(self, error: OSError) -> RecordError:
        return RecordError(
            f"{self._path}: can't be written: {error.strerror}; what it holds is intact. "
            "Free space or make it writable, then resume the campaign"
        )


def _brief(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
    return str(error)
