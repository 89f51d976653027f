"""Classes too rare to be learnt and measured are refused, or said by name before a campaign runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.registry import load_task, summarize


def save(path: Path, labels: list[int], **more: Any) -> DataSection:
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4), dtype=np.uint8)
    np.savez(path / "own.npz", **{"images": images, "labels": np.array(labels), **more})
    return DataSection(name=str(path / "own.npz"))


def warnings(section: DataSection, path: Path) -> list[str]:
    return [
        text.removeprefix(f"{section.name}: ")
        for text in summarize(load_task(section, cache_dir=path)).warnings
    ]


def test_a_class_in_the_test_set_alone_is_refused_by_name(tmp_path: Path) -> None:
    labels = [0, 1] * 20 + [2, 2]
    section = save(tmp_path, labels, is_test=np.arange(42) >= 34)
    with pytest.raises(
        DataError, match=r"own.npz: class 2 \(2 images\) is in the test set only, so no network"
    ):
        load_dataset(section, cache_dir=tmp_path)


def test_a_class_of_one_image_is_trained_on_and_said(tmp_path: Path) -> None:
    section = save(tmp_path, [0, 1] * 20 + [2])
    dataset = load_dataset(section, cache_dir=tmp_path)
    assert 2 in dataset.train_labels
    assert warnings(section, tmp_path) in (
        ["class 2 (1 image) is not in the validation data, so how well it is learnt is not seen"],
        ["class 2 (1 image) is not in the training data, so no network can learn it"],
    )


def test_a_declared_class_without_an_image_is_said(tmp_path: Path) -> None:
    section = save(tmp_path, [0, 1] * 20, num_classes=np.array(4))
    assert warnings(section, tmp_path) == ["classes 2 (0 images), 3 (0 images) are not in the data at all"]


def test_many_classes_are_counted(tmp_path: Path) -> None:
    section = save(tmp_path, [0, 1] * 20, num_classes=np.array(20))
    (said,) = warnings(section, tmp_path)
    assert said.startswith(
        "classes 2 (0 images), 3 (0 images), 4 (0 images), 5 (0 images), 6 (0 images), ... (18 in"
    )


def test_data_whose_classes_are_in_all_parts_are_passed_in_silence(tmp_path: Path) -> None:
    assert warnings(save(tmp_path, [0, 1, 2] * 10), tmp_path) == []


def test_one_class_to_train_on_is_refused(tmp_path: Path) -> None:
    section = save(tmp_path, [0] * 40 + [1], is_test=np.arange(41) % 2 == 1)
    only = section.model_copy(update={"max_train_samples": 2, "validation_fraction": 0.5})
    with pytest.raises(DataError, match=r"are all of class [01]; at least 2 classes are needed"):
        load_task(only, cache_dir=tmp_path)


def test_images_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (4, 4), dtype=np.uint8)
    labels = [0, 1] * 20
    for images, said in (
        (np.zeros((40, 4, 4), dtype=np.uint8), "every pixel of them 0: there is nothing to learn"),
        (np.full((40, 8, 8, 3), 128, dtype=np.uint8), "every pixel of them 128"),
        (np.broadcast_to(random, (40, 4, 4)), f"with pixels of {random.min()}..{random.max()}"),
    ):
        section = save(tmp_path, labels, images=images)
        with pytest.raises(DataError, match=f"all 40 images are the same, .*{said}"):
            load_dataset(section, cache_dir=tmp_path)
    images = np.zeros((40, 4, 4), dtype=np.uint8)
    images[30:] = 7
    section = save(tmp_path, labels, images=images, is_test=np.arange(40) >= 30)
    with pytest.raises(DataError, match="all 30 images outside of the test set are the same"):
        load_dataset(section, cache_dir=tmp_path)
