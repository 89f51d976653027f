"""The data set `digits`: 1,797 handwritten digits of 8x8 pixels, which ship inside scikit-learn."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data.dataset import Dataset
from hpc_nas.tasks.image_data.subsets import hold_out_test

MAX_INTENSITY = 16.0
IMAGE_SHAPE = (8, 8)
FILE = Path("datasets", "data", "digits.csv.gz")
"""In the package of scikit-learn; a row is an image and its label."""


def load_digits(section: DataSection, *, cache_dir: Path) -> Dataset:
    """The digits, 0..16 scaled to 0..255, with a fixed fifth of each class as the test set."""
    table = np.loadtxt(_path(), delimiter=",")
    images = np.rint(table[:, :-1] * (255.0 / MAX_INTENSITY)).astype(np.uint8).reshape(-1, 1, *IMAGE_SHAPE)
    labels = table[:, -1].astype(np.int64)
    return hold_out_test(images, labels, name=section.name, num_classes=10)


def _path() -> Path:
    """Found without importing scikit-learn, which takes a second in each trainer. Raises DataError."""
    spec = importlib.util.find_spec("sklearn")
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(directory) / FILE).is_file():
            return path
    raise DataError(f"digits: no {FILE} in the installed scikit-learn; install scikit-learn again (>= 1.4)")
