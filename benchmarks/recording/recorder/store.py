"""Turns a recording into a curve file, and compares it with a stored one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.recordings import Curves, Recording

Table = dict[str, NDArray[np.float32]]
"""What a curve file holds: curves [n, T], columns [n], epochs [T]."""


def record(recording: Recording, *, first: int, progress: Callable[[int], None]) -> Table:
    """Train up to observation `first`; `progress` is told the number of observations made."""
    observations = []
    for observation in itertools.islice(recording.observations, first):
        observations.append(observation)
        progress(len(observations))
    curves: Curves = {
        key: np.stack([observation[key] for observation in observations], axis=1) for key in observations[0]
    }
    table: dict[str, Any] = {
        "epochs": np.arange(1, len(observations) + 1),
        **recording.score(curves),
        **recording.columns,
    }
    return {key: np.asarray(values, np.float32) for key, values in table.items()}


def save(table: Table, path: Path) -> None:
    """Write the compressed file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(temporary, **table)
    os.replace(temporary, path)


def compare(table: Table, stored: Path) -> str:
    """Whether the stored file begins with these curves bit by bit; if not, what is how far apart."""
    with np.load(stored) as content:
        known = dict(content)
    if known.keys() != table.keys():
        return f"other keys than {stored.name}: {', '.join(sorted(known.keys() ^ table.keys()))}"
    length = len(table["epochs"])
    differing = []
    for key, values in table.items():
        part = known[key][..., :length] if known[key].ndim == 2 or key == "epochs" else known[key]
        if part.shape != values.shape:
            differing.append(f"{key} of shape {part.shape}, here {values.shape}")
        elif part.tobytes() != values.tobytes():
            distance = np.nanmax(np.abs(part.astype(np.float64) - values))
            differing.append(f"{key} by up to {distance:.3g}")
    if differing:
        return f"differs from {stored.name}: {'; '.join(differing)}"
    return f"bit by bit the first {length} of {len(known['epochs'])} observations of {stored.name}"
