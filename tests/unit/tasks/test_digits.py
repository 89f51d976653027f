"""The digits are scikit-learn's, though it is not imported for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data import digits


def test_images_and_labels_are_those_of_scikit_learn(tmp_path: Path) -> None:
    bunch = sklearn.datasets.load_digits()
    found = digits.load_digits(DataSection(), cache_dir=tmp_path)
    images = np.concatenate([found.train_images, found.test_images])
    labels = np.concatenate([found.train_labels, found.test_labels])
    expected = np.rint(bunch.images / 16 * 255).astype(np.uint8)
    assert images.shape == (1797, 1, 8, 8)
    assert sorted(
        (*image.ravel().tolist(), label) for image, label in zip(images, labels, strict=True)
    ) == sorted((*image.ravel().tolist(), label) for image, label in zip(expected, bunch.target, strict=True))


def test_installation_without_the_file_is_said_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "FILE", Path("datasets", "nowhere.csv.gz"))
    with pytest.raises(DataError, match=r"digits: no datasets/nowhere.csv.gz .* install scikit-learn again"):
        digits.load_digits(DataSection(), cache_dir=tmp_path)
