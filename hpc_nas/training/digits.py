"""The data set `digits`: 1,797 handwritten digits of 8x8 pixels, which ship inside scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hpc_nas.configuration import DataSection
from hpc_nas.training.dataset import Dataset
from hpc_nas.training.holdout import hold_out_test

MAX_INTENSITY = 16.0


def load_digits(section: DataSection, *, cache_dir: Path) -> Dataset:
    """The digits, 0..16 scaled to 0..255, with a fixed fifth of each class as the test set."""
    from sklearn.datasets import load_digits as load_from_scikit_learn

    bunch = load_from_scikit_learn()
    images = np.rint(bunch.images * (255.0 / MAX_INTENSITY)).astype(np.uint8)[:, np.newaxis]
    labels = bunch.target.astype(np.int64)
    return hold_out_test(images, labels, name=section.name, num_classes=10)
