"""Arrays by name out of a .npz or .h5 file that somebody else wrote: whole and really there, or a DataError."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import DataError
from hpc_nas.tasks.host_memory import check_memory

__all__ = ["NPZ_SUFFIX", "SUFFIXES", "Arrays", "read_arrays"]

NPZ_SUFFIX = ".npz"
SUFFIXES = (NPZ_SUFFIX, ".h5", ".hdf5")

Arrays = dict[str, NDArray[Any]]


def read_arrays(path: Path, *, names: tuple[str, ...]) -> Arrays:
    """Those of these arrays that the file holds; nothing else of it is looked at, and nothing in it is run.

    Raises DataError for a file that is damaged or of another kind, for arrays of which a part lies elsewhere and is
    missing or was never written, and for more than the memory holds.
    """
    is_npz = path.suffix.lower() == NPZ_SUFFIX
    try:
        return _read_npz(path, names=names) if is_npz else _read_hdf5(path, names=names)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path}: does not fit into memory: {_say(error)}") from error
    except Exception as error:  # foreign bytes: whatever the libraries raise for them
        raise DataError(
            f"{path}: truncated, corrupt or not a {path.suffix} file ({path.stat().st_size} bytes found): {_say(error)}"
        ) from error


def _say(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _read_npz(path: Path, *, names: tuple[str, ...]) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        wanted = {name: members[f"{name}.npy"] for name in names if f"{name}.npy" in members}
        for name, info in wanted.items():
            with archive.open(info) as stream:
                _check_header(stream, size=info.file_size, where=f"{path}: {name}")
        check_memory(sum(info.file_size for info in wanted.values()), where=str(path))
        return {name: _read_member(archive, info) for name, info in wanted.items()}


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # the end, where its checksum is compared
    return array


def _check_header(stream: IO[bytes], *, size: int, where: str) -> None:
    """Before room is made for what a damaged header says."""
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    except Exception as error:
        raise DataError(
            f"{where} is no array that numpy saved: {_say(error)}; save it by np.savez"
        ) from error
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects; save one plain array of numbers (np.stack, astype)")
    if any(length < 0 for length in shape) or stream.tell() + math.prod(shape) * dtype.itemsize > size:
        raise DataError(
            f"{where} is truncated or corrupt: {dtype} {shape} is more than the {size} bytes that are there"
        )


def _read_hdf5(path: Path, *, names: tuple[str, ...]) -> Arrays:
    import h5py

    from hpc_nas.tasks.image_data.hdf5_parts import open_whole

    with h5py.File(path, "r") as file:
        opened = {
            name: dataset for name in names if (dataset := open_whole(file, name, path=path)) is not None
        }
        check_memory(
            sum(math.prod(each.shape) * each.dtype.itemsize for each in opened.values()), where=str(path)
        )
        return {name: np.asarray(dataset[()]) for name, dataset in opened.items()}
