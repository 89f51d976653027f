"""A4NN's training tables (TauferLab/Reproducibility_A4NN_ICPP23, icpp_training_results/): CSV, one row per epoch.

Columns of the published tables: `epoch` (from 0), `train_accs`, `val_accs`, `predictions`, `converged`, `genome`,
`arch` (the network's number in its search), `flops` (millions), and in most `epoch_times`, `params`, `function`,
`penguin_times`, `architecture`. What A4NN's own engine forecast is not imported: replay forecasts anew.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.records.importers.alignment import RecordedCurve, aligned, number

__all__ = ["import_a4nn"]

_NAMES = {
    "epoch": ("epoch", "epochs"),
    "val_accuracy": ("val_accs", "val_acc", "val_accuracy", "valid_acc", "valid_accs", "fitness"),
    "train_accuracy": ("train_accs", "train_acc", "train_accuracy"),
    "val_loss": ("val_loss", "val_losses", "valid_loss"),
    "train_loss": ("train_loss", "train_losses"),
    "network": ("arch", "arch_id", "arch_index", "arch_number"),
    "flops": ("flops", "mflops"),
}
"""Figure, and the columns it may stand in, whatever their case: the first that is there counts."""

_SUFFIX = "_training_data"


def import_a4nn(paths: Sequence[str | os.PathLike[str]]) -> list[CurveSet]:
    """One set per table, named after its file; of a directory, every table below it. Raises RecordError."""
    tables: list[Path] = []
    for path in map(Path, paths):
        found = [file for file in sorted(path.rglob("*.csv")) if _is_table(file)] if path.is_dir() else [path]
        if not found:
            raise RecordError(f"{path}: no .csv file with epoch and val_accs below it")
        tables += found
    stems = [path.stem.removesuffix(_SUFFIX) for path in tables]
    names = [
        stem if stems.count(stem) == 1 else f"{path.parent.name}/{stem}"
        for path, stem in zip(tables, stems, strict=True)
    ]
    return [_read(path, name=name) for path, name in zip(tables, names, strict=True)]


def _is_table(path: Path) -> bool:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        columns = _columns(next(csv.reader(file), []))
    return "epoch" in columns and "val_accuracy" in columns


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Position of each figure that the table has."""
    lowered = [name.strip().lower() for name in header]
    known = {
        figure: next((lowered.index(name) for name in names if name in lowered), None)
        for figure, names in _NAMES.items()
    }
    return {figure: position for figure, position in known.items() if position is not None}


def _read(path: Path, *, name: str) -> CurveSet:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header, *records = list(csv.reader(file)) or [[]]
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: can't be read as CSV: no text in UTF-8") from error
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    except csv.Error as error:
        raise RecordError(f"{path}: can't be read as CSV: {error}") from error
    if not header:
        raise RecordError(f"{path}: empty: no table of A4NN")
    columns = _columns(header)
    if missing := [figure for figure in ("epoch", "val_accuracy") if figure not in columns]:
        wanted = "; ".join(f"{figure}: one of {', '.join(_NAMES[figure])}" for figure in missing)
        raise RecordError(
            f"{path}: no table of A4NN, it has the columns {', '.join(header)}; needed: {wanted}"
        )
    rows = [_row(record, columns, where=f"{path}, row {index}") for index, record in enumerate(records, 2)]
    rows = [row for row in rows if row.figures["epoch"] >= 0]  # A4NN marks a search's end with epoch -1
    shift = 1.0 if min((row.figures["epoch"] for row in rows), default=1.0) == 0.0 else 0.0
    curves = [
        RecordedCurve(
            name=network,
            where=f"{path}, network {network}",
            rows=[{**row, "epoch": row["epoch"] + shift} for row in part],
            hyperparameters={"flops": part[0]["flops"]} if "flops" in columns else {},
        )
        for network, part in _by_network(rows).items()
    ]
    return aligned(curves, name=name)


@dataclass(frozen=True, kw_only=True)
class _Row:
    network: str
    figures: Mapping[str, float]


def _row(record: Sequence[str], columns: Mapping[str, int], *, where: str) -> _Row:
    texts = {
        figure: record[position] if position < len(record) else "" for figure, position in columns.items()
    }
    network = texts.pop("network", "")
    figures = {figure: number(text) for figure, text in texts.items()}
    if math.isnan(figures["epoch"]):
        raise RecordError(f"{where}: no epoch in it; is the file cut off?")
    return _Row(network=network, figures=figures)


def _by_network(rows: Sequence[_Row]) -> dict[str, list[Mapping[str, float]]]:
    """The rows of each network in order of epoch; without its number, a new one begins where epochs go back."""
    networks: dict[str, list[Mapping[str, float]]] = {}
    count, before = 0, -math.inf
    for row in rows:
        epoch = row.figures["epoch"]
        count += epoch <= before
        before = epoch
        networks.setdefault(row.network or str(count), []).append(row.figures)
    return {network: sorted(part, key=lambda row: row["epoch"]) for network, part in networks.items()}
