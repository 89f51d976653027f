"""Keeps a campaign's full learning curves as a compressed .npz, for replay of rules that are not written yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpc_nas.records.archive import CampaignRecord
from hpc_nas.report.rows import curves

MAX_BYTES = 2_000_000
_FIELDS = {
    "val_acc": "val_accuracy",
    "val_loss": "val_loss",
    "train_loss": "train_loss",
    "train_acc": "train_accuracy",
}


def save_curves(record: CampaignRecord, path: Path) -> Path:
    """Write one row per candidate, NaN after its end, float32; returns the path.

    Keys: epochs [E]; val_acc, val_loss, train_loss, train_acc [n, E]; learning_rate (of the first observation),
    num_parameters, number [n]. Raises ValueError for a file of 2 MB or more: it is meant to be committed.
    """
    rows = curves(record)
    numbers = record.candidates["number"]
    epochs = np.unique(np.concatenate([part["epoch"] for part in rows.values()]))
    table: dict[str, Any] = {
        key: np.full((len(numbers), len(epochs)), np.nan, dtype=np.float32) for key in _FIELDS
    }
    learning_rate = np.full(len(numbers), np.nan)
    for index, number in enumerate(numbers.tolist()):
        part = rows.get(number)
        if part is None:
            continue  # failed before its first validation
        columns = np.searchsorted(epochs, part["epoch"])
        for key, field in _FIELDS.items():
            table[key][index, columns] = part[field]
        learning_rate[index] = part["learning_rate"][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        epochs=epochs,
        learning_rate=learning_rate,
        num_parameters=record.candidates["num_parameters"],
        number=numbers,
        **table,
    )
    if (size := path.stat().st_size) >= MAX_BYTES:
        raise ValueError(f"{path}: {size} bytes, at most {MAX_BYTES} are meant to be kept in the repository")
    return path
