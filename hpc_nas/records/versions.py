"""Rows of earlier schema versions, brought to the present layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpc_nas.records import layout
from hpc_nas.records.layout import Rows

READABLE_VERSIONS = tuple(range(1, layout.SCHEMA_VERSION + 1))

_ADDED_LATER: dict[str, float] = {
    "low": math.nan,
    "high": math.nan,
    "history_version": 0,
    "audited": 0,
    "carried": 0,
    "start_epoch": 0.0,
    "start_batch": 0,
    "epochs_twice": math.nan,
    "resumptions": 0,
    "pauses": 0,
    "beyond_limits": 0,
}
"""Fields that an earlier version did not have, and what stands there for "not known" or "none"."""


def upgrade(rows: Rows, dtype: np.dtype[Any]) -> Rows:
    """The same rows with the fields of `dtype`. Raises ValueError naming a field that every version has."""
    result = np.zeros(len(rows), dtype=dtype)
    found = rows.dtype.names or ()
    for name in sorted(dtype.names or ()):  # so that the first one that is missing is always the same
        if name in found:
            result[name] = rows[name]
        elif name in _ADDED_LATER:
            result[name] = _ADDED_LATER[name]
        else:
            raise ValueError(f"no {name!r}; see docs/records.md for its fields")
    return result
