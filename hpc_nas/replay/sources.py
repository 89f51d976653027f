"""Where curves to replay come from: curve files, run directories, archives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hpc_nas.errors import ConfigurationError, RecordError
from hpc_nas.records.archive import CampaignRecord, load_record
from hpc_nas.records.curve_file import kind_of, load_curve_sets
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.report.rows import curves as curves_of

__all__ = ["Choice", "Loaded", "curves_of_record", "load_sets"]

_FIELDS = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")
_KNOWN_BEFORE = ("num_parameters", "num_layers", "macs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What of the curves is replayed. NaN: as recorded; no `names`: all sets."""

    names: tuple[str, ...] = ()
    where: tuple[tuple[str, float], ...] = ()
    max_epochs: float = float("nan")
    chance_accuracy: float = float("nan")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A set of complete curves, and how many candidates were left out because their truth is not known."""

    curves: CurveSet
    num_left_out: int


def load_sets(paths: Sequence[Path], choice: Choice) -> list[Loaded]:
    """The chosen sets of all paths, under names that differ. Raises RecordError and ConfigurationError."""
    sets = _named_apart([(path, part) for path in paths for part in _load(path)])
    known = [part.name for part in sets]
    for name in choice.names:
        if name not in known:
            raise ConfigurationError(f"--set {name}: no such set; there are: {', '.join(known)}")
    chosen = [part for part in sets if not choice.names or part.name in choice.names]
    return [_prepared(part, choice) for part in chosen]


def curves_of_record(record: CampaignRecord) -> CurveSet:
    """The curves of the attempts that count. Raises RecordError if there are none."""
    rows = curves_of(record)
    if not rows:
        raise RecordError(f"campaign {record.name}: no observations yet, so there is nothing to replay")
    numbers = record.candidates["number"]
    epochs = np.unique(np.concatenate([part["epoch"] for part in rows.values()]))
    figures: dict[str, Any] = {name: np.full((len(numbers), len(epochs)), np.nan) for name in _FIELDS}
    learning_rate = np.full(len(numbers), np.nan)
    for index, number in enumerate(numbers.tolist()):
        if number in rows:
            columns = np.searchsorted(epochs, rows[number]["epoch"])
            for name, values in figures.items():
                values[index, columns] = rows[number][name]
            learning_rate[index] = rows[number]["learning_rate"][0]
    chance = record.data.get("chance_accuracy")
    return CurveSet(
        name=record.name,
        ids=tuple(str(number) for number in numbers.tolist()),
        epochs=epochs,
        max_epochs=float(record.configuration["training"]["max_epochs"]),
        chance_accuracy=float(chance) if isinstance(chance, int | float) else float("nan"),
        hyperparameters={name: record.candidates[name].astype(float) for name in _KNOWN_BEFORE}
        | {"learning_rate": learning_rate},
        **figures,
    )


def _load(path: Path) -> list[CurveSet]:
    if not path.exists():
        raise RecordError(f"{path}: no such file or directory; name a curve file (.npz, .h5) or a RUN_DIR")
    if path.is_dir() or (path.suffix != ".npz" and kind_of(path) == "campaign"):
        return [curves_of_record(load_record(path))]
    return load_curve_sets(path)


def _named_apart(found: Sequence[tuple[Path, CurveSet]]) -> list[CurveSet]:
    """Sets of one name get their file's name before it."""
    names = [part.name for _, part in found]
    sets = [
        part if names.count(part.name) == 1 else replace(part, name=f"{path.stem}/{part.name}")
        for path, part in found
    ]
    for part in sets:
        if [other.name for other in sets].count(part.name) > 1:
            raise ConfigurationError(
                f"two sets are called {part.name}; rename a file, or give each path once"
            )
    return sets


def _prepared(curves: CurveSet, choice: Choice) -> Loaded:
    for column, value in choice.where:
        if column not in curves.hyperparameters:
            known = ", ".join(curves.hyperparameters) or "none"
            raise ConfigurationError(
                f"--where {column}: {curves.name} has no such column; there are: {known}"
            )
        curves = _those(curves, column=column, value=value)
    if not np.isnan(choice.max_epochs):
        curves = curves.until(choice.max_epochs)
    if not np.isnan(choice.chance_accuracy):
        curves = replace(curves, chance_accuracy=choice.chance_accuracy)
    complete = curves.complete()
    return Loaded(curves=complete, num_left_out=len(curves) - len(complete))


def _those(curves: CurveSet, *, column: str, value: float) -> CurveSet:
    mask = np.isclose(curves.hyperparameters[column], value, rtol=1e-9, atol=0.0)
    if not mask.any():
        raise ConfigurationError(f"--where {column}={value:g}: no candidate of {curves.name} has that")
    return curves.only(mask)
