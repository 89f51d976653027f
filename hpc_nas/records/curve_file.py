"""Reads curve files, `.npz` or `.h5`: learning curves to replay rules on. docs/replay.md describes the keys."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.records.hdf5 import cause_of, plain
from hpc_nas.records.time_limit import within_time_limit

__all__ = ["CurveSet", "kind_of", "load_curve_sets"]

KIND = "curves"
SCHEMA_VERSION = 1
NPZ, HDF5 = (".npz",), (".h5", ".hdf5")

CURVES = {
    "val_acc": "val_accuracy",
    "val_loss": "val_loss",
    "train_loss": "train_loss",
    "train_acc": "train_accuracy",
}
"""Key in the file, field of CurveSet."""

IDS = ("id", "uid", "number")
FACTS = ("max_epochs", "chance_accuracy")
_HINDSIGHT = ("n_epochs", "n_epochs_recorded")
"""Columns that say how a training ended: nothing that was known before it."""

_FAILURES = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)

Columns = dict[str, NDArray[Any]]


def load_curve_sets(path: str | os.PathLike[str]) -> list[CurveSet]:
    """All curves of a file, split by `dataset` where it has one; incomplete curves included.

    Raises RecordError for a file that is missing, damaged or foreign, and for curves that can't be.
    """
    path = Path(path)
    if path.suffix not in (*NPZ, *HDF5):
        raise RecordError(f"{path}: not a curve file; these end in .npz or .h5")
    try:
        columns = _read_npz(path) if path.suffix in NPZ else within_time_limit(read_hdf5_columns, path)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file") from error
    except _FAILURES as error:
        raise _unreadable(path, error) from error
    try:
        return _split(columns, stem=path.stem)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error


def kind_of(path: str | os.PathLike[str]) -> str:
    """What an HDF5 file says it is (`curves`, `campaign`, ...); empty if it says nothing.

    Raises RecordError for one that is so damaged that HDF5 comes to no end with it.
    """
    return within_time_limit(read_kind, Path(path)) if Path(path).is_file() else ""


def read_kind(path: Path) -> str:
    """The same; HDF5 may spin for ever in it."""
    with contextlib.suppress(*_FAILURES), h5py.File(path, "r") as file:
        return str(plain(file.attrs.get("kind", "")))
    return ""


# --- reading -------------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> Columns:
    columns = {}
    with open(path, "rb") as file:  # np.load itself leaves a damaged file open
        if not zipfile.is_zipfile(file):  # for NumPy it might be pickled
            raise ValueError("no .npz archive")
        file.seek(0)
        content = np.load(file, allow_pickle=False)
        for key in content.files:
            try:
                columns[key] = content[key]
            except ValueError as error:  # of objects: these are pickled, and never loaded
                if key in (*CURVES, "epochs", "dataset") or "Object arrays" not in str(error):
                    raise
    return columns


def read_hdf5_columns(path: Path) -> Columns:
    """What an HDF5 curve file holds; HDF5 may spin for ever in it. Raises RecordError."""
    try:
        with h5py.File(path, "r") as file:
            return _columns(file, path=path)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file") from error
    except _FAILURES as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> RecordError:
    return RecordError(f"{path}: can't be read as a curve file, truncated or foreign: {cause_of(error)}")


def _columns(file: Any, *, path: Path) -> Columns:
    kind, version = plain(file.attrs.get("kind", KIND)), file.attrs.get("schema_version", SCHEMA_VERSION)
    if kind != KIND:
        raise RecordError(f"{path}: a file of kind {kind!r}, no curve file")
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema version {version}, but this hpc-nas reads {SCHEMA_VERSION}; "
            "use the version that wrote it"
        )
    return {key: _plain(value) for key, value in file.items() if isinstance(value, h5py.Dataset)}


def _plain(dataset: Any) -> NDArray[Any]:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.array(dataset.asstr()[()], dtype=str)
    return np.asarray(dataset[()])


def _split(columns: Columns, *, stem: str) -> list[CurveSet]:
    if "val_acc" not in columns:
        raise RecordError(f"no key 'val_acc'; there are: {', '.join(sorted(columns)) or 'none'}")
    accuracy = columns["val_acc"]
    if accuracy.ndim != 2:
        raise RecordError(
            f"val_acc has shape {accuracy.shape}; needed: one row per candidate, one column per epoch"
        )
    epochs = columns.get("epochs", np.arange(1, accuracy.shape[1] + 1))
    if epochs.shape != accuracy.shape[1:]:
        raise RecordError(f"epochs has shape {epochs.shape}, but val_acc {accuracy.shape[1]} columns")
    names = columns.get("dataset")
    if names is None:
        return [_curve_set(columns, epochs, name=stem, rows=np.arange(len(accuracy)))]
    if names.shape != accuracy.shape[:1]:
        raise RecordError(f"dataset has shape {names.shape}, but val_acc {len(accuracy)} rows")
    texts = np.array([_text(value) for value in names.tolist()])
    return [
        _curve_set(columns, epochs, name=name, rows=np.flatnonzero(texts == name))
        for name in dict.fromkeys(texts.tolist())
    ]


def _curve_set(columns: Columns, epochs: NDArray[Any], *, name: str, rows: NDArray[np.intp]) -> CurveSet:
    num_rows = len(columns["val_acc"])
    curves = {key: columns[key] for key in CURVES if key in columns}
    for key, values in curves.items():
        if values.shape != columns["val_acc"].shape:
            raise RecordError(f"{key} has shape {values.shape}, val_acc {columns['val_acc'].shape}")
        if values.dtype.kind not in "biuf":
            raise RecordError(f"{key} holds {values.dtype}, not numbers; store it as floats")
    seen = ~np.isnan(curves["val_acc"][rows]).all(axis=0)
    if not seen.any():
        raise RecordError(f"{name}: holds no curves: every val_acc is NaN")
    others = columns.keys() - {*CURVES, *IDS, *FACTS, *_HINDSIGHT, "epochs", "dataset"}
    return CurveSet(
        name=name,
        ids=_ids(columns, rows, num_rows=num_rows),
        epochs=epochs[seen],
        max_epochs=_fact(columns, "max_epochs", rows, default=float(epochs[seen][-1])),
        chance_accuracy=_fact(columns, "chance_accuracy", rows, default=math.nan),
        hyperparameters={
            key: columns[key][rows]
            for key in sorted(others)
            if columns[key].shape == (num_rows,) and columns[key].dtype.kind in "biuf"
        },
        **{CURVES[key]: values[np.ix_(rows, seen)] for key, values in curves.items()},
    )


def _ids(columns: Columns, rows: NDArray[np.intp], *, num_rows: int) -> tuple[str, ...]:
    for key in IDS:
        if key in columns and columns[key].shape == (num_rows,):
            return tuple(_text(value) for value in columns[key][rows].tolist())
    return tuple(str(row) for row in rows.tolist())


def _fact(columns: Columns, key: str, rows: NDArray[np.intp], *, default: float) -> float:
    """One number for all rows: stored once, or once per candidate."""
    if key not in columns:
        return default
    values = columns[key][rows] if columns[key].ndim else columns[key][None]
    distinct = np.unique(values)
    if values.dtype.kind not in "biuf" or len(distinct) != 1:
        raise RecordError(f"{key} must be one number for all candidates of a data set")
    return float(distinct[0])


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
