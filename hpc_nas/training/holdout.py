"""A test set for data that come without one: always the same fifth, whatever the campaign's seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpc_nas.training.dataset import Dataset, Images, Labels
from hpc_nas.training.stratify import stratified_subset

TEST_FRACTION = 0.2
TEST_SEED = 0


def hold_out_test(images: Images, labels: Labels, *, name: str, num_classes: int) -> Dataset:
    """A data set with a stratified fifth set apart as the test set, at least one image of it.

    The only image of a class is left to train on, unless nothing else is there to be set apart.
    """
    count = max(1, round(len(labels) * TEST_FRACTION))
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[stratified_subset(labels, count, random=np.random.default_rng(TEST_SEED))] = True
    single = np.bincount(labels, minlength=num_classes)[labels] == 1
    if (is_test & ~single).any():
        is_test &= ~single
    return separate_test(images, labels, name=name, is_test=is_test, num_classes=num_classes)


def separate_test(
    images: Images, labels: Labels, *, name: str, is_test: NDArray[np.bool_], num_classes: int
) -> Dataset:
    """A data set whose test set is where `is_test` (bool [n]) holds."""
    return Dataset(
        name=name,
        train_images=images[~is_test],
        train_labels=labels[~is_test],
        test_images=images[is_test],
        test_labels=labels[is_test],
        num_classes=num_classes,
    )
