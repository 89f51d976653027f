"""Puts curves that were recorded one by one on the epochs that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import CurveSet

__all__ = ["RecordedCurve", "aligned", "number"]


@dataclass(frozen=True, kw_only=True)
class RecordedCurve:
    """The curve of one candidate as a file has it: rows of epoch -> figures, and what describes the candidate.

    `where` names the place in the file, for messages. Each row holds `epoch`, `val_accuracy` and, where they
    were recorded, `val_loss`, `train_loss`, `train_accuracy`.
    """

    name: str
    where: str
    rows: Sequence[Mapping[str, float]]
    hyperparameters: Mapping[str, float] = field(default_factory=dict)


def aligned(curves: Sequence[RecordedCurve], *, name: str) -> CurveSet:
    """One set of all these curves. A curve ends before its first accuracy that is not finite: that network failed.

    Raises RecordError for epochs that repeat or go back, and for curves that can't be.
    """
    ends = [_rows_before_failure(curve) for curve in curves]
    epochs = np.unique([row["epoch"] for rows in ends for row in rows])
    if not len(epochs):
        raise RecordError(f"{name}: no finite accuracy in any of {len(curves)} curves")
    figures = {
        key: np.full((len(curves), len(epochs)), math.nan)
        for key in ("val_accuracy", "val_loss", "train_loss", "train_accuracy")
    }
    for index, rows in enumerate(ends):
        columns = np.searchsorted(epochs, [row["epoch"] for row in rows])
        for key, values in figures.items():
            values[index, columns] = [row.get(key, math.nan) for row in rows]
    known: dict[str, Any] = {
        key: values for key, values in figures.items() if key == "val_accuracy" or np.isfinite(values).any()
    }
    names = dict.fromkeys(key for curve in curves for key in curve.hyperparameters)
    return CurveSet(
        name=name,
        ids=tuple(curve.name for curve in curves),
        epochs=epochs,
        max_epochs=float(epochs[-1]),
        hyperparameters={
            key: np.array([curve.hyperparameters.get(key, math.nan) for curve in curves]) for key in names
        },
        **known,
    )


def number(text: str | None) -> float:
    """The number that a field holds; NaN for anything else."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _rows_before_failure(curve: RecordedCurve) -> list[Mapping[str, float]]:
    rows: list[Mapping[str, float]] = []
    before = 0.0
    for row in curve.rows:
        if not row["epoch"] > before:
            raise RecordError(
                f"{curve.where}: epoch {row['epoch']:g} comes after epoch {before:g}; the epochs of one network "
                "must rise. Two trainings in one place? Import them one by one"
            )
        before = row["epoch"]
        if not math.isfinite(row["val_accuracy"]):
            break
        rows.append(row)
    return rows
