"""Writes curve files, `.npz` or `.h5`, as `curve_file` reads them."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_file import CURVES, FACTS, HDF5, IDS, KIND, NPZ, SCHEMA_VERSION, Columns
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.records.hdf5 import cause_of

__all__ = ["save_curve_sets"]


def save_curve_sets(sets: Sequence[CurveSet], path: str | os.PathLike[str]) -> Path:
    """Publish the sets as one file, at once or not at all; its suffix, .h5 or .npz, says how. Raises RecordError."""
    path = Path(path)
    if path.suffix not in (*NPZ, *HDF5):
        raise RecordError(f"{path}: can't tell the format from the name; end it in .h5 or .npz")
    write: Callable[[IO[bytes], Columns], None] = _write_npz if path.suffix in NPZ else _write_hdf5
    columns = _joined(sets, where=path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w+b") as file:
            write(file, columns)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RecordError(f"{path}: can't be written: {cause_of(error)}") from error
    return path


def _write_npz(file: IO[bytes], columns: Columns) -> None:
    np.savez_compressed(file, allow_pickle=False, **columns)


def _write_hdf5(file: IO[bytes], columns: Columns) -> None:
    with h5py.File(file, "w") as target:
        target.attrs["kind"], target.attrs["schema_version"] = KIND, SCHEMA_VERSION
        for key, values in columns.items():
            if values.dtype.kind == "U":
                target.create_dataset(key, data=values.astype(object), dtype=h5py.string_dtype())
            else:
                target.create_dataset(key, data=values, compression="gzip", shuffle=True)


def _joined(sets: Sequence[CurveSet], *, where: Path) -> Columns:
    """The sets below each other, on all epochs that any of them has."""
    epochs = np.unique(np.concatenate([part.epochs for part in sets]))
    columns: Columns = {"epochs": epochs}
    for key, name in CURVES.items():
        if any(getattr(part, name) is not None for part in sets):
            columns[key] = np.concatenate([_spread(part, getattr(part, name), epochs) for part in sets])
    columns["dataset"] = np.array([part.name for part in sets for _ in part.ids])
    columns["id"] = np.array([name for part in sets for name in part.ids])
    for key in FACTS:
        values = np.concatenate([np.full(len(part), getattr(part, key)) for part in sets])
        if np.isfinite(values).any():
            columns[key] = values
    for key, values in _hyperparameters(sets):
        if key in columns or key in (*CURVES, *IDS, *FACTS):
            raise RecordError(f"{where}: a hyperparameter can't be called {key!r}: curve files use that name")
        columns[key] = values
    return columns


def _hyperparameters(sets: Sequence[CurveSet]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for key in dict.fromkeys(key for part in sets for key in part.hyperparameters):
        parts: list[Mapping[str, NDArray[np.float64]]] = [part.hyperparameters for part in sets]
        unknown = [np.full(len(part), math.nan) for part in sets]
        yield key, np.concatenate([part.get(key, nan) for part, nan in zip(parts, unknown, strict=True)])


def _spread(part: CurveSet, values: NDArray[np.float64] | None, epochs: NDArray[np.float64]) -> NDArray[Any]:
    wide = np.full((len(part), len(epochs)), math.nan)
    if values is not None:
        wide[:, np.isin(epochs, part.epochs)] = values
    return wide
