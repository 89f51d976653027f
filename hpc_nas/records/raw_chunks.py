"""Rows from a table's chunks as they lie in the file: what is left of one whose checksums do not all hold.

HDF5 gives none of a chunk's rows if its checksum fails. That happens to a chunk whose writer was killed, or is looked
at, in the middle of adding a row: the rows before it are as they were, and the checksum is still that of these alone.
So a chunk counts also if its checksum holds for the rows that are committed, with nothing after them.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.records.hdf5 import FAILURES
from hpc_nas.records.layout import Rows

_CHECKSUM_BYTES = 4


def committed_rows(dataset: Any, rows: Rows, *, start: int) -> NDArray[np.bool_]:
    """Read the table's rows from number `start` on into `rows`, chunk by chunk; which of them are sound."""
    sound = np.zeros(len(rows), dtype=bool)
    creation = dataset.id.get_create_plist()
    if creation.get_nfilters() != 1 or creation.get_filter(0)[0] != h5py.h5z.FILTER_FLETCHER32:
        return sound
    length, end = dataset.chunks[0], start + len(rows)
    for first in range(start - start % length, end, length):
        chunk = _sound_chunk(dataset, first=first, num_committed=min(end - first, length))
        if chunk is not None:
            own = slice(max(first, start), min(first + length, end))
            rows[own.start - start : own.stop - start] = chunk[own.start - first : own.stop - first]
            sound[own.start - start : own.stop - start] = True
    return sound


def fletcher32(data: bytes) -> tuple[int, int]:
    """The two sums of HDF5's checksum of these bytes, modulo 65535."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2").astype(np.uint64)
    weights = np.arange(len(words), 0, -1, dtype=np.uint64)
    return int(words.sum() % 65535), int((words * weights).sum() % 65535)


def _sound_chunk(dataset: Any, *, first: int, num_committed: int) -> Rows | None:
    try:
        skipped, raw = dataset.id.read_direct_chunk((first,))
    except FAILURES:
        return None
    whole = dataset.chunks[0] * dataset.dtype.itemsize
    if skipped or len(raw) != whole + _CHECKSUM_BYTES:
        return None
    committed = num_committed * dataset.dtype.itemsize
    stored = int.from_bytes(raw[whole:], "little")
    wanted = (stored & 0xFFFF) % 65535, (stored >> 16) % 65535
    for content in (raw[:whole], raw[:committed] + bytes(whole - committed)):
        if fletcher32(content) == wanted:
            rows: Rows = np.frombuffer(content, dtype=dataset.dtype)
            return rows
    return None
