"""The curve files kept in the repository: the benchmark is made from them, so they load and are what they say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from hpc_nas.records.curve_file import load_curve_sets

CURVES_DIR = Path(__file__).resolve().parents[3] / "benchmarks" / "curves"
FILES = sorted(CURVES_DIR.glob("*.npz"))
CAMPAIGNS = {"digits_random_cnn.npz", "fashion_mnist_2000_random_cnn.npz"}
MAX_BYTES = 1_000_000
"""All files together: the repository is no place for data."""


def test_the_readme_names_every_kept_file_with_its_shape() -> None:
    text = (CURVES_DIR / "README.md").read_text(encoding="utf-8")
    for path in FILES:
        with np.load(path) as content:
            num_networks, num_observations = content["val_acc"].shape
        shape = num_networks if path.name in CAMPAIGNS else f"{num_networks} x {num_observations}"
        assert f"| `{path.name}` | {shape}" in text


def test_kept_files_are_small() -> None:
    assert len(FILES) == 11
    assert sum(path.stat().st_size for path in FILES) < MAX_BYTES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kept_curves_load_and_are_percent(path: Path) -> None:
    (curves,) = load_curve_sets(path)
    assert curves.name == path.stem
    known = curves.val_accuracy[np.isfinite(curves.val_accuracy)]
    assert 0.0 <= known.min() < known.max() <= 100.0
    assert curves.hyperparameters.keys() >= {"learning_rate"}
    assert curves.epochs[-1] == curves.max_epochs


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in CAMPAIGNS], ids=lambda path: path.stem
)
def test_recorded_networks_were_all_trained_to_the_end(path: Path) -> None:
    (curves,) = load_curve_sets(path)
    assert curves.finished.all()
    assert math.isclose(curves.epochs_per_interval, 1.0)
