"""What HDF5 needs help with: its formats, whole-looking truncated files, endless retries, a disk that fills up."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import struct
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hpc_nas.records.layout import CHUNK_ROWS, COMMIT, Attribute, Rows

FAILURES = (OSError, RuntimeError, ValueError, KeyError, AttributeError)
"""What h5py raises when a file lets it down."""

LIBRARY_VERSIONS = ("v110", "v110")
"""The format of row files: the first that serves SWMR, so that every h5py that is in use can read it."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = struct.Struct("<8sBBBBQQQQL")  # of versions 2 and 3
_WRITING, _SWMR = 1, 4  # its consistency flags
_READ_ATTEMPTS = 31  # each waits twice as long as the one before, from 1 ns: two seconds in all


class Condition(Enum):
    """What the first bytes of a file say."""

    BEING_BORN = auto()  # its writer has not turned SWMR on yet
    SWMR = auto()  # written at this moment, or its writer was killed
    CLOSED = auto()
    TRUNCATED = auto()
    FOREIGN = auto()


def condition_of(path: Path) -> Condition:
    """Judge a file by its superblock, without HDF5. Raises OSError where it can't be read."""
    with open(path, "rb") as file:
        head = file.read(_SUPERBLOCK.size)
        size = os.fstat(file.fileno()).st_size
    if not head:
        return Condition.BEING_BORN
    if not head.startswith(_SIGNATURE[: len(head)]):
        return Condition.FOREIGN
    if len(head) < _SUPERBLOCK.size:
        return Condition.TRUNCATED
    _, version, offset_bytes, length_bytes, flags, _, _, end_of_file, _, _ = _SUPERBLOCK.unpack(head)
    if version not in (2, 3) or (offset_bytes, length_bytes) != (8, 8):
        return Condition.FOREIGN  # the older formats can't be SWMR
    if flags & _SWMR:
        return Condition.SWMR
    if flags & _WRITING:
        return Condition.BEING_BORN
    return Condition.TRUNCATED if size < end_of_file else Condition.CLOSED


def open_for_reading(path: Path) -> Any:
    """The h5py file, opened for single-writer-multiple-readers. Raises OSError or RuntimeError."""
    flags = h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, fapl=_access_properties()))


@functools.cache
def _access_properties() -> Any:
    """Access properties that end HDF5's retries: by default it retries damaged metadata for ever.

    h5py has no call for that, so HDF5 is asked itself, through the h5py extension that is linked with it.
    """
    properties = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    properties.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_LATEST)
    with contextlib.suppress(OSError, AttributeError):
        call = ctypes.CDLL(h5py.h5p.__file__).H5Pset_metadata_read_attempts
        call.argtypes, call.restype = (ctypes.c_int64, ctypes.c_uint), ctypes.c_int
        call(properties.id, _READ_ATTEMPTS)
    return properties


def write_attributes(file: Any, attributes: Mapping[str, Attribute]) -> None:
    """Texts in a fixed width: those of variable length lie in a heap that has no checksum."""
    for name, value in attributes.items():
        file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value


def read_attributes(file: Any) -> dict[str, Attribute]:
    """All attributes, texts as text however they were written."""
    return {name: plain(value) for name, value in file.attrs.items()}


def plain(value: Any) -> Any:
    """An attribute's value as Python has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def create_tables(file: Any, tables: Mapping[str, Rows]) -> tuple[dict[str, Any], Any]:
    """The tables of a row file with these rows, by name, and that of their counters; all with checksums."""
    made = {
        name: file.create_dataset(name, data=rows, maxshape=(None,), chunks=(CHUNK_ROWS,), fletcher32=True)
        for name, rows in tables.items()
    }
    counts = np.zeros(1, dtype=[(name, "<i8") for name in tables])
    for name, rows in tables.items():
        counts[name] = len(rows)
    return made, file.create_dataset(COMMIT, data=counts, chunks=(1,), fletcher32=True)


def abandon(file: Any) -> None:
    """Close a file whose disk fails, without touching what lies there.

    HDF5 can't close a file that it can't flush: it keeps it, and crashes at the process's end. So its descriptor
    is turned to the null device, which takes everything; the file keeps what reached it before.
    """
    with contextlib.suppress(*FAILURES):
        sink = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.dup2(sink, file.id.get_vfd_handle(), inheritable=False)
        finally:
            os.close(sink)
    with contextlib.suppress(*FAILURES):
        file.close()


def cause_of(error: BaseException) -> str:
    """Why an HDF5 call failed, in the operating system's words where it gave any."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r"errno = (\d+)", str(error))):
        number = int(found[1])
    if number:
        return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    return str(error)
