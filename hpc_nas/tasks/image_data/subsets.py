"""Stratified parts of labelled images, and a test set for data that come without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpc_nas.tasks.image_data.dataset import Dataset, Images, Labels

TEST_FRACTION = 0.2
TEST_SEED = 0


def stratified_subset(
    labels: NDArray[np.int64], count: int, *, random: np.random.Generator
) -> NDArray[np.int64]:
    """Sorted indices of `count` samples, drawn so that each class has its share of them, within one sample.

    Each class is put in random order and spread evenly over (0, 1); the `count` smallest places are taken.
    """
    order = random.permutation(len(labels))
    shuffled = labels[order]
    place = np.empty(len(labels))
    for label in np.unique(shuffled):
        members = np.flatnonzero(shuffled == label)
        place[members] = (np.arange(len(members)) + random.random()) / len(members)
    chosen = order[np.argsort(place, kind="stable")[:count]]
    return np.sort(chosen)


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
