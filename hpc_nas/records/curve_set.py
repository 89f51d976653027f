"""A set of learning curves of one data set: what a rule is replayed on."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_nas.errors import RecordError

__all__ = ["CurveSet"]

SLACK = 1e-9
FEWEST = 2
"""So many complete curves are needed to rank anything."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CurveSet:
    """Learning curves of n candidates at T common epochs. Arrays are float64 and read-only.

    - `epochs` [T], rising; `val_accuracy` [n, T], percent, NaN from a candidate's end on.
    - `val_loss`, `train_loss`, `train_accuracy` [n, T]: None where nobody recorded it, NaN where unknown.
    - `hyperparameters`: numbers known before training, by name, each [n], NaN where unknown.
    - `max_epochs`: the full budget; `chance_accuracy`: the largest class's share of the validation set,
      percent, NaN where unknown.

    Raises RecordError for curves that can't be.
    """

    name: str
    ids: tuple[str, ...]
    epochs: _Floats
    val_accuracy: _Floats
    max_epochs: float
    val_loss: _Floats | None = None
    train_loss: _Floats | None = None
    train_accuracy: _Floats | None = None
    hyperparameters: Mapping[str, _Floats] = field(default_factory=dict)
    chance_accuracy: float = math.nan

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "epochs", _numbers(self.name, "epochs", self.epochs, num_axes=1))
        for name in ("val_accuracy", "val_loss", "train_loss", "train_accuracy"):
            if (values := getattr(self, name)) is not None:
                put(self, name, _numbers(self.name, name, values, num_axes=2))
        columns = {key: _numbers(self.name, key, values, num_axes=1) for key, values in self._columns()}
        put(self, "hyperparameters", columns)
        self._check_shapes()
        self._check_epochs()
        self._check_accuracies()

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"CurveSet({self.name!r}, {len(self)} candidates, {len(self.epochs)} epochs)"

    @property
    def epochs_per_interval(self) -> float:
        """The usual distance between two validations, epochs."""
        return float(np.median(np.diff(self.epochs, prepend=0.0)))

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which candidates were trained to the full budget, [n]."""
        if self.epochs[-1] < self.max_epochs - SLACK:
            return np.zeros(len(self), dtype=bool)
        return np.isfinite(self.val_accuracy[:, -1])

    @property
    def truth(self) -> _Floats:
        """The best accuracy of each candidate, percent, [n]; what it is worth if its curve is complete."""
        best: _Floats = np.fmax.reduce(self.val_accuracy, axis=1)
        return best

    @property
    def knows_train_loss(self) -> bool:
        """Whether any training loss was recorded."""
        return self.train_loss is not None and bool(np.isfinite(self.train_loss).any())

    def only(self, rows: ArrayLike) -> CurveSet:
        """Some of the candidates: a mask [n] or their positions, in that order."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        if not len(chosen):
            raise self._refuse("holds no curves")
        return self._part(
            ids=tuple(self.ids[row] for row in chosen.tolist()),
            val_accuracy=_rows(self.val_accuracy, chosen),
            val_loss=_rows(self.val_loss, chosen),
            train_loss=_rows(self.train_loss, chosen),
            train_accuracy=_rows(self.train_accuracy, chosen),
            hyperparameters={key: _frozen(values[chosen]) for key, values in self._columns()},
        )

    def complete(self) -> CurveSet:
        """The candidates whose truth is known. Raises RecordError if these are fewer than two."""
        finished = self.finished
        if finished.sum() < FEWEST:
            raise RecordError(
                f"{self.name}: {finished.sum()} of {len(self)} curves reach {self.max_epochs:g} epochs (the "
                f"last observation of any is at {self.epochs[-1]:g}), but at least {FEWEST} complete ones are "
                "needed as the truth; record with [estimator] mode = 'observe', or lower --max-epochs"
            )
        return self if finished.all() else self.only(finished)

    def until(self, max_epochs: float) -> CurveSet:
        """The same curves under a smaller full budget: cut after `max_epochs`."""
        kept = self.epochs <= max_epochs + SLACK
        if not kept.any():
            raise RecordError(
                f"{self.name}: no observation up to {max_epochs:g} epochs, the first is at {self.epochs[0]:g}; "
                "choose --max-epochs among the epochs that were recorded"
            )
        part = self._part(
            epochs=_frozen(self.epochs[kept]),
            max_epochs=max_epochs,
            val_accuracy=_cut(self.val_accuracy, kept),
            val_loss=_cut(self.val_loss, kept),
            train_loss=_cut(self.train_loss, kept),
            train_accuracy=_cut(self.train_accuracy, kept),
        )
        part._check_epochs()
        return part

    def _part(self, **changes: Any) -> CurveSet:
        """A copy with some fields changed. What is sound as a whole is sound in part, so it is not checked again:
        a few networks that learn nothing may all have 1 % or less, and that is no sign of fractions.
        """
        part = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(part, name, value)
        return part

    def _columns(self) -> list[tuple[str, _Floats]]:
        return list(self.hyperparameters.items())

    def _refuse(self, text: str) -> RecordError:
        return RecordError(f"{self.name}: {text}")

    def _check_shapes(self) -> None:
        shape = (len(self.ids), len(self.epochs))
        for name in ("val_accuracy", "val_loss", "train_loss", "train_accuracy"):
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise self._refuse(
                    f"{name} has shape {values.shape}, but {shape[0]} candidates at {shape[1]} epochs need "
                    f"{shape}; one row per candidate, one column per epoch"
                )
        for name, values in self._columns():
            if len(values) != len(self.ids):
                raise self._refuse(f"column {name!r} has {len(values)} values for {len(self.ids)} candidates")
        if not len(self.ids) or not len(self.epochs):
            raise self._refuse("holds no curves")

    def _check_epochs(self) -> None:
        steps = np.diff(self.epochs, prepend=0.0)
        if not np.isfinite(self.epochs).all() or (steps <= 0).any():
            at = int(np.argmin(np.where(np.isfinite(steps), steps > 0, False)))
            raise self._refuse(
                f"epochs[{at}] = {self.epochs[at]:g}; epochs must be finite, above 0, and rise from one "
                "observation to the next: epochs trained so far"
            )
        if not 0 < self.max_epochs < math.inf or self.epochs[-1] > self.max_epochs + SLACK:
            raise self._refuse(
                f"max_epochs = {self.max_epochs:g} must be finite and at least the last epoch recorded, "
                f"{self.epochs[-1]:g}"
            )

    def _check_accuracies(self) -> None:
        for name in ("val_accuracy", "train_accuracy"):
            if (values := getattr(self, name)) is not None:
                self._check_percent(name, values)
        observed = np.isfinite(self.val_accuracy)
        ended = np.arange(len(self.epochs)) >= observed.sum(axis=1)[:, None]
        gaps = np.argwhere(~observed & ~ended)
        if len(gaps):
            raise self._refuse(
                f"{self._where(*gaps[0])}: no val_accuracy, though the curve goes on later; NaN may stand only "
                "after a candidate's last observation"
            )
        if observed.any() and self.val_accuracy[observed].max() <= 1.0:
            raise self._refuse(
                "no val_accuracy above 1: these look like fractions; give percent, 0..100 (multiply by 100)"
            )
        chance = self.chance_accuracy
        if not (math.isnan(chance) or 0.0 <= chance <= 100.0):
            raise self._refuse(
                f"chance_accuracy = {chance!r} must be in percent, 0..100, or NaN where unknown"
            )

    def _check_percent(self, name: str, values: _Floats) -> None:
        bad = np.argwhere(~np.isnan(values) & ~((values >= 0.0) & (values <= 100.0)))
        if len(bad):
            row, column = bad[0]
            raise self._refuse(
                f"{self._where(row, column)}: {name} = {values[row, column]:g} is outside 0..100 percent; "
                "end a curve with NaN where its network failed"
            )

    def _where(self, row: int, column: int) -> str:
        return f"candidate {self.ids[row]} (row {row}), epoch {self.epochs[column]:g}"


def _numbers(where: str, name: str, values: Any, *, num_axes: int) -> _Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise RecordError(f"{where}: {name} holds {array.dtype}, not numbers; store it as floats")
    if array.ndim != num_axes:
        wanted = "one row per candidate, one column per epoch" if num_axes == 2 else "one axis"
        raise RecordError(f"{where}: {name} has shape {array.shape}; needed: {wanted}")
    return _frozen(array.astype(np.float64))


def _frozen(array: _Floats) -> _Floats:
    array.flags.writeable = False
    return array


def _rows(values: _Floats | None, chosen: NDArray[np.intp]) -> _Floats | None:
    return None if values is None else _frozen(values[chosen])


def _cut(values: _Floats | None, kept: Sequence[bool] | NDArray[np.bool_]) -> _Floats | None:
    return None if values is None else _frozen(values[:, np.asarray(kept)])
