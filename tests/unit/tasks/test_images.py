"""Training, validation and test data never mix, and are cut the same way every time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.objective import Objective
from hpc_nas.spaces.problem import Problem
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.image_data.dataset import Dataset
from hpc_nas.tasks.image_data.subsets import stratified_subset
from hpc_nas.tasks.images import ImageTask, split
from hpc_nas.tasks.registry import DataSummary, load_task, summarize

from .task_helpers import fashion_section, make_dataset


def numbered(num_train: int = 1000, num_test: int = 100) -> Dataset:
    """A data set whose every image holds its own number: training from 0, test from num_train."""
    numbers = np.arange(num_train + num_test, dtype=np.uint16)
    images = np.stack([numbers >> 8, numbers & 255], axis=1).astype(np.uint8).reshape(-1, 1, 1, 2)
    labels = np.array([0] * 6 + [1] * 3 + [2])[numbers % 10].astype(np.int64)
    return Dataset(
        name="numbered",
        train_images=images[:num_train],
        train_labels=labels[:num_train],
        test_images=images[num_train:],
        test_labels=labels[num_train:],
        num_classes=3,
    )


def numbers(images: NDArray[np.uint8]) -> list[int]:
    pairs = images.reshape(-1, 2).astype(int)
    return [int(number) for number in pairs[:, 0] * 256 + pairs[:, 1]]


def assert_equal(left: ImageTask, right: ImageTask) -> None:
    for name in ("train_images", "train_labels", "validation_images", "validation_labels"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def test_training_and_validation_share_out_the_training_data() -> None:
    splits = split(numbered(), DataSection(validation_fraction=0.2))
    train, validation = numbers(splits.train_images), numbers(splits.validation_images)
    assert sorted(train + validation) == list(range(1000))
    assert (len(train), len(validation)) == (800, 200)
    assert train != sorted(train)  # so that truncating it is fair
    assert splits.problem == Problem(channels=1, height=1, width=2, num_classes=3)


@pytest.mark.parametrize("section", [DataSection(), DataSection(max_train_samples=300, seed=4)])
def test_no_test_image_is_trained_or_validated_on(section: DataSection) -> None:
    splits = split(numbered(), section)
    seen = set(numbers(splits.train_images)) | set(numbers(splits.validation_images))
    assert max(seen) < 1000
    assert splits.num_test == 100


def test_labels_stay_with_their_images() -> None:
    dataset = numbered()
    splits = split(dataset, DataSection(max_train_samples=400))
    for images, labels in (
        (splits.train_images, splits.train_labels),
        (splits.validation_images, splits.validation_labels),
    ):
        np.testing.assert_array_equal(dataset.train_labels[numbers(images)], labels)


def test_classes_keep_their_shares() -> None:
    splits = split(numbered(), DataSection(max_train_samples=500))
    assert abs(np.bincount(splits.train_labels) - [240, 120, 40]).max() <= 2
    assert abs(np.bincount(splits.validation_labels) - [60, 30, 10]).max() <= 2


def test_a_subset_is_taken_before_the_cut() -> None:
    splits = split(numbered(), DataSection(max_train_samples=100, validation_fraction=0.3))
    assert (len(splits.train_labels), len(splits.validation_labels)) == (70, 30)
    assert len(split(numbered(), DataSection(max_train_samples=5000)).train_labels) == 800


def test_validate_on_test_cuts_nothing() -> None:
    dataset = numbered()
    splits = split(dataset, DataSection(validate_on_test=True))
    assert sorted(numbers(splits.train_images)) == list(range(1000))
    np.testing.assert_array_equal(splits.validation_images, dataset.test_images)
    np.testing.assert_array_equal(splits.validation_labels, dataset.test_labels)
    assert len(split(dataset, DataSection(validate_on_test=True, max_train_samples=50)).train_labels) == 50


def test_the_seed_alone_decides_the_cut() -> None:
    section = DataSection(max_train_samples=300, seed=3)
    assert_equal(split(numbered(), section), split(numbered(), section))
    other = split(numbered(), DataSection(max_train_samples=300, seed=4))
    assert numbers(other.validation_images) != numbers(split(numbered(), section).validation_images)


def test_chance_is_the_largest_class_s_share_of_the_validation_set() -> None:
    splits = split(numbered(), DataSection())
    expected = 100.0 * np.bincount(splits.validation_labels).max() / 200
    assert splits.chance_accuracy == expected == pytest.approx(60.0, abs=1.0)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"validation_fraction = 0.2 of 2 training images leaves 2 to train and 0"
    ):
        split(numbered(), DataSection(max_train_samples=2))


def test_preparation_says_what_trainers_will_find(test_data: Path, fashion_cache: Path) -> None:
    section = fashion_section(test_data, max_train_samples=10_000)
    splits = split(load_dataset(section, cache_dir=fashion_cache), section)
    assert summarize(load_task(section, cache_dir=fashion_cache)) == DataSummary(
        problem=Problem(channels=1, height=28, width=28, num_classes=10),
        objective=Objective.ACCURACY,
        chance_accuracy=10.0,
        num_train=8000,
        num_validation=2000,
        num_test=10_000,
        checksum=splits.checksum,
        fingerprint=splits.fingerprint,
    )


def test_fingerprint_is_of_what_candidates_see() -> None:
    same = split(numbered(), DataSection())
    assert same.fingerprint == split(numbered(), DataSection()).fingerprint
    others = [
        split(numbered(), DataSection(seed=1)),
        split(numbered(), DataSection(max_train_samples=900)),
        split(numbered(), DataSection(validation_fraction=0.25)),
        split(numbered(), DataSection(validate_on_test=True)),
        dataclasses.replace(same, train_labels=same.train_labels[::-1]),
        dataclasses.replace(same, validation_images=255 - same.validation_images),
    ]
    assert len({splits.fingerprint for splits in [same, *others]}) == 7


@pytest.mark.parametrize("count", [1, 7, 50, 99, 100])
def test_a_stratified_subset_has_the_size_asked_for(count: int) -> None:
    labels = make_dataset().train_labels
    indices = stratified_subset(labels, count, random=np.random.default_rng(0))
    assert len(set(indices.tolist())) == count
    shares = np.bincount(labels) * count / len(labels)
    assert abs(np.bincount(labels[indices], minlength=4) - shares).max() <= 1.0
