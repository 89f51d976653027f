"""Which rows can be what they say: one check for whoever reads them, rank files in situ or after, and archives.

A page that was lost reads as zeros, and zeros have the right checksum: that of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from hpc_nas.records import layout
from hpc_nas.records.layout import Rows
from hpc_nas.records.ownership import FIRST_FOREIGN
from hpc_nas.values import FINAL_STATES, REASONS, Reason, State

__all__ = ["possible"]

_Mask = NDArray[np.bool_]
_ENDS = [f"{state} {reason}".encode() for state, reasons in REASONS.items() for reason in reasons]
_OUTCOMES = [f"{s} {reason}".encode() for s in FINAL_STATES for reason in REASONS[s]]
_STATES = [*State, layout.FOREIGN]
_ACTIONS = ("go", "stop", "pause")  # of estimator.Action, which costs more to import than all there is here


def possible(table: str, rows: Rows) -> _Mask:
    """Which rows of this table of a rank file or an archive can be; a table of another name says nothing."""
    check = _CHECKS.get(table)
    return np.ones(len(rows), dtype=bool) if check is None else check(rows)


def _observations(rows: Rows) -> _Mask:
    mask: _Mask = (
        _is_number(rows["candidate"])
        & _not_negative(rows, "attempt", "learning_rate", "train_s", "validate_s", "time_s")
        & (rows["epoch"] > 0.0)
        & np.isfinite(rows["epoch"])
        & _percent(rows, "val_accuracy", "train_accuracy")
        & _finite(rows, "time_s")
        & np.isin(rows["carried"], (0, 1))
    )
    return mask


def _attempts(rows: Rows) -> _Mask:
    return (
        _not_negative(rows, "candidate", "attempt", "start_epoch", "start_batch", "epochs", "batches")
        & _not_negative(rows, "train_s", "validate_s", "last_batch_s", "first_batch_time", "signal_time")
        & (rows["left_time"] > 0.0)
        & _finite(rows, "received_time", "left_time", "start_epoch", "epochs")
        & _is_end(rows, _ENDS)
    )


def _forecasts(rows: Rows) -> _Mask:
    return (
        _is_number(rows["candidate"])
        & _not_negative(rows, "attempt", "num_points", "history_version", "fit_s", "spread")
        & (rows["epoch"] > 0.0)
        & _finite(rows, "epoch", "time_s")
        & _words(rows["action"], _ACTIONS)
        & _words(rows["reason"], ("", layout.CARRIED, *Reason))
    )


def _outcomes(rows: Rows) -> _Mask:
    return (
        _not_negative(rows, "candidate", "attempt", "trainer", "epochs", "spread")
        & (rows["ended_time"] > 0.0)
        & _finite(rows, "ended_time", "epochs")
        & _percent(rows, "best_accuracy")
        & _is_end(rows, _OUTCOMES)
    )


def _candidates(rows: Rows) -> _Mask:
    counts = ("num_parameters", "num_layers", "macs", "redraws", "beyond_limits")
    return (
        _is_number(rows["number"])
        & _not_negative(rows, *counts, "attempts", "resumptions", "pauses", "epochs", "epochs_all_attempts")
        & _percent(rows, "best_accuracy")
        & np.isin(rows["audited"], (0, 1))
        & _words(rows["state"], _STATES)
        & _words(rows["reason"], ("", *Reason))
    )


_CHECKS: dict[str, Callable[[Rows], _Mask]] = {
    "observations": _observations,
    "attempts": _attempts,
    "forecasts": _forecasts,
    "outcomes": _outcomes,
    "candidates": _candidates,
}


def _not_negative(rows: Rows, *names: str) -> _Mask:
    """NaN, which says that there is no such figure, is not negative."""
    return _all(rows, (~(rows[name] < 0) for name in names))


def _is_number(column: NDArray[np.int64]) -> _Mask:
    """Of a candidate of the campaign, or of a foreign one."""
    result: _Mask = (column >= 0) | (column <= FIRST_FOREIGN)
    return result


def _finite(rows: Rows, *names: str) -> _Mask:
    return _all(rows, (np.isfinite(rows[name]) for name in names))


def _percent(rows: Rows, *names: str) -> _Mask:
    return _all(rows, (np.isnan(rows[name]) | ((rows[name] >= 0) & (rows[name] <= 100)) for name in names))


def _all(rows: Rows, masks: Iterable[_Mask]) -> _Mask:
    result = np.ones(len(rows), dtype=bool)
    for mask in masks:
        result &= mask
    return result


def _words(column: NDArray[np.bytes_], words: Iterable[str]) -> _Mask:
    return np.isin(column, [word.encode() for word in words])


def _is_end(rows: Rows, ends: list[bytes]) -> _Mask:
    """Do state and reason go together?"""
    both = np.char.add(np.char.add(rows["state"], b" "), rows["reason"])
    return np.isin(both, ends)
