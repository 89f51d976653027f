"""PENGUIN's text files (TauferLab/PENGUIN, doi:10.7910/DVN/ZXTCGF): one network each, a row per half epoch.

The first line names the columns, separated by single spaces; the fields that describe the network (`dataset`,
`learning_rate`, `convFilters`, ...) are filled in on the first row only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.records.importers.alignment import RecordedCurve, aligned, number

__all__ = ["import_penguin"]

_FIGURES = {"epochs": "epoch", "valAcc": "val_accuracy", "valLoss": "val_loss", "trainLoss": "train_loss"}
_NEEDED = ("epochs", "valAcc")
_NOT_BEFORE_TRAINING = (*_FIGURES, "ID", "random_seed", "dataset")


def import_penguin(path: str | os.PathLike[str]) -> list[CurveSet]:
    """All networks of a directory of .txt files (or of one file), one set per data set that they name.

    Fields that are numbers become hyperparameters; lists such as `301-297-345` are left out. Raises RecordError.
    """
    path = Path(path)
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise RecordError(f"{path}: no .txt files here; name the directory that PENGUIN's networks lie in")
    by_set: dict[str, list[RecordedCurve]] = {}
    for file in files:
        dataset, curve = _read(file)
        by_set.setdefault(dataset or path.name, []).append(curve)
    return [aligned(curves, name=name) for name, curves in by_set.items()]


def _read(path: Path) -> tuple[str, RecordedCurve]:
    """The data set that one file names, and its curve."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: can't be read: {error}") from error
    header = lines[0].split(" ") if lines else []
    if missing := [name for name in _NEEDED if name not in header]:
        raise RecordError(
            f"{path}: no file of PENGUIN: its first line has no {' or '.join(missing)}; move it elsewhere"
        )
    rows = [
        _row(dict(zip(header, line.split(" "), strict=False)), where=f"{path}, line {number}")
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    about = dict(zip(header, lines[1].split(" "), strict=False)) if rows else {}
    curve = RecordedCurve(name=path.stem, where=str(path), rows=rows, hyperparameters=_hyperparameters(about))
    return about.get("dataset", "").strip(), curve


def _row(fields: Mapping[str, str], *, where: str) -> dict[str, float]:
    row = {name: number(fields.get(column)) for column, name in _FIGURES.items()}
    if math.isnan(row["epoch"]):
        raise RecordError(f"{where}: epochs = {fields.get('epochs')!r} is no number; is the file cut off?")
    if "valAcc" not in fields:
        raise RecordError(f"{where}: ends before valAcc; is the file cut off?")
    return row


def _hyperparameters(about: Mapping[str, str]) -> dict[str, float]:
    numbers = {name: number(text) for name, text in about.items() if name not in _NOT_BEFORE_TRAINING}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
