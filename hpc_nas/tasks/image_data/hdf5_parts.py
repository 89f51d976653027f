"""Is an HDF5 data set all there? What is missing of it, HDF5 reads as zeros, without a word.

A virtual data set lies in other files, external storage in raw ones; chunks that nobody wrote lie nowhere. Relative
names are looked up beside the file that holds them, where HDF5 looks for virtual sources; so it does not matter in
which directory a process runs.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import h5py

from hpc_nas.errors import DataError

__all__ = ["open_whole"]

MAX_DEPTH = 8  # of virtual data sets of virtual data sets


def open_whole(file: h5py.File, name: str, *, path: Path) -> h5py.Dataset | None:
    """The data set of this name; None where there is none. Raises DataError, naming what is missing of it."""
    if not file.id.links.exists(name.encode()):
        return None
    where = f"{path}: {name}"
    try:
        kind = file.get(name, getclass=True)
    except (KeyError, RuntimeError, OSError) as error:
        raise DataError(
            f"{where} is a link to {_target(file, name)}, which is not there; bring it back"
        ) from error
    if kind is not h5py.Dataset:
        return None
    dataset = _open(file, name)
    if dataset.shape is None:
        raise DataError(f"{where} holds nothing (an empty data space)")
    _check_whole(dataset, where=where, depth=0)
    return dataset


def _open(file: h5py.File, name: str) -> h5py.Dataset:
    """HDF5 looks for raw files in the working directory, unless it is told otherwise when a data set is opened."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(b"${ORIGIN}")
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


def _target(file: h5py.File, name: str) -> str:
    value = file.id.links.get_val(name.encode())
    parts = value if isinstance(value, tuple) else (value,)
    return " in ".join(part.decode(errors="replace") for part in reversed(parts))


def _check_whole(dataset: h5py.Dataset, *, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DataError(f"{where} is virtual, of sources that are virtual, and so on without an end")
    if dataset.is_virtual:
        _check_virtual(dataset, where=where, depth=depth)
    elif dataset.external:
        _check_external(dataset, where=where)
    elif dataset.size and dataset.id.get_storage_size() == 0:
        raise DataError(f"{where} was made, {dataset.dtype} {dataset.shape}, but never written")
    elif dataset.chunks is not None:
        expected = math.prod(-(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True))
        if (written := dataset.id.get_num_chunks()) < expected:
            raise DataError(
                f"{where} is not complete: {written} of its {expected} chunks were written, the others would be read "
                "as zeros; write them, or cut the data set to what there is"
            )


# --- virtual data sets ------------------------------------------------------------------------------------


def _check_virtual(dataset: h5py.Dataset, *, where: str, depth: int) -> None:
    covered = 0.0
    for source in dataset.virtual_sources():
        covered += _num_points(source.vspace)
        _check_source(dataset, source, where=where, depth=depth)
    if covered < dataset.size:
        raise DataError(
            f"{where} is virtual, and {dataset.size - covered:.0f} of its {dataset.size} values have no source: they "
            "would be read as zeros"
        )


def _num_points(space: h5py.h5s.SpaceID) -> float:
    """Infinite for a selection without an end, which is as long as its sources are."""
    try:
        return int(space.get_select_npoints())
    except (RuntimeError, ValueError, OSError, OverflowError):
        return math.inf


def _check_source(dataset: h5py.Dataset, source: Any, *, where: str, depth: int) -> None:
    name, inside = (
        text.replace("%b", "0").replace("%%", "%") for text in (source.file_name, source.dset_name)
    )
    owner = Path(dataset.file.filename)
    found = owner if name == "." else _beside(owner, name)
    if found is None:
        raise DataError(
            f"{where} is virtual, and its source {name} is not there (looked up beside {owner}): its values would be "
            "read as zeros; bring the file back, or write a file that holds the data themselves"
        )
    try:
        with h5py.File(found, "r") as file:
            if inside not in file or file.get(inside, getclass=True) is not h5py.Dataset:
                raise DataError(f"{where} is virtual, and its source {found} has no data set {inside}")
            part = _open(file, inside)
            if _reaches_beyond(source, part):
                raise DataError(
                    f"{where} is virtual, and takes more of {inside} in {found} than its {part.shape}: the rest would "
                    "be read as zeros"
                )
            _check_whole(part, where=f"{where}, of {inside} in {found},", depth=depth + 1)
    except OSError as error:
        raise DataError(f"{where} is virtual, and its source {found} can't be read: {error}") from error


def _reaches_beyond(source: Any, part: h5py.Dataset) -> bool:
    space = source.src_space
    if part.shape is None:
        return True
    if space.get_select_type() == h5py.h5s.SEL_ALL:  # whatever shape it had when it was mapped
        return _num_points(source.vspace) not in (part.size, math.inf)
    try:
        _, last = space.get_select_bounds()
    except (RuntimeError, ValueError, OSError, OverflowError):
        return False  # without an end: as much as there is
    return len(last) != len(part.shape) or any(
        end >= length for end, length in zip(last, part.shape, strict=True)
    )


def _beside(owner: Path, name: str) -> Path | None:
    """As HDF5 looks: a prefix that the user has set, the name as it is or beside the owner, its last part alone."""
    places = [owner.parent, owner.resolve().parent]
    if prefix := os.environ.get("HDF5_VDS_PREFIX"):
        places.insert(0, Path(prefix.replace("${ORIGIN}", str(owner.parent))))
    names = [name, Path(name).name] if Path(name).is_absolute() else [name]
    return next((place / each for each in names for place in places if (place / each).is_file()), None)


# --- external storage -------------------------------------------------------------------------------------


def _check_external(dataset: h5py.Dataset, *, where: str) -> None:
    owner, left = Path(dataset.file.filename), dataset.size * dataset.dtype.itemsize
    for raw_name, offset, size in dataset.external:
        name = raw_name.decode(errors="replace") if isinstance(raw_name, bytes) else raw_name
        place = owner.parent / name
        if left > 0 and not place.is_file():
            raise DataError(f"{where} lies in the raw file {name}, which is not there (looked up as {place})")
        wanted = min(left, size)
        if left > 0 and place.stat().st_size < offset + wanted:
            raise DataError(
                f"{where} lies in the raw file {place}, which has {place.stat().st_size} bytes; expected "
                f"{offset + wanted}: the rest would be read as zeros"
            )
        left -= wanted
