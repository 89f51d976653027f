"""The learning curves that a campaign recorded, and the batches that it trained for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_nas.records.archive import load_record

FIGURES = ("epoch", "val_accuracy", "val_loss", "train_accuracy", "train_loss", "learning_rate")

Curve = list[tuple[Any, ...]]


def curves(run_dir: Path) -> dict[int, Curve]:
    """By number, each candidate's curve as its last attempt that saw anything tells it: exact, times left out."""
    rows = load_record(run_dir).observations
    last: dict[int, int] = {}
    for candidate, attempt in rows[["candidate", "attempt"]].tolist():
        last[candidate] = max(attempt, last.get(candidate, 0))
    return {
        candidate: sorted(
            rows[(rows["candidate"] == candidate) & (rows["attempt"] == attempt)][list(FIGURES)].tolist()
        )
        for candidate, attempt in last.items()
    }


def batches_by_attempt(run_dir: Path) -> dict[int, list[tuple[int, int]]]:
    """By number, (first batch, last batch) of each attempt in order; those that trained none are left out."""
    rows = load_record(run_dir).attempts
    found: dict[int, list[tuple[int, int]]] = {}
    for row in sorted(rows.tolist(), key=lambda row: row[:2]):
        values = dict(zip(rows.dtype.names or (), row, strict=True))
        if values["batches"]:
            start = values["start_batch"]
            found.setdefault(values["candidate"], []).append((start, start + values["batches"]))
    return found


def is_gapless(attempts: list[tuple[int, int]]) -> bool:
    """Does each attempt begin where the one before it ended, so that no batch was trained twice or left out?"""
    ends = [0, *(end for _, end in attempts)]
    return all(start == end for (start, _), end in zip(attempts, ends, strict=False))
