"""Cut a data set into training and validation data; the test set stays apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.problem import Problem
from hpc_nas.training.dataset import Dataset, Images, Labels
from hpc_nas.training.shares import rare_classes
from hpc_nas.training.stratify import stratified_subset


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """What candidates are trained and validated on: uint8 images [n, c, h, w], int64 labels [n].

    Training data are in random order, so any leading part of them is a fair sample.
    """

    name: str
    train_images: Images
    train_labels: Labels
    validation_images: Images
    validation_labels: Labels
    num_classes: int
    num_test: int
    checksum: str
    warnings: tuple[str, ...] = ()

    @property
    def problem(self) -> Problem:
        """What a network has to fit."""
        _, channels, height, width = self.train_images.shape
        return Problem(channels=channels, height=height, width=width, num_classes=self.num_classes)

    @property
    def num_train(self) -> int:
        return len(self.train_labels)

    @property
    def num_validation(self) -> int:
        return len(self.validation_labels)

    @property
    def chance_accuracy(self) -> float:
        """Accuracy in percent of always naming the validation set's largest class."""
        return float(100.0 * np.bincount(self.validation_labels).max() / len(self.validation_labels))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that candidates are trained and validated on, in order: the same data give the same curves.

        Unlike `checksum`, which is the whole data set's, it changes with every key that changes the cut.
        """
        digest = hashlib.sha256(str(self.num_classes).encode())
        for array in (
            self.train_images,
            self.train_labels,
            self.validation_images,
            self.validation_labels,
        ):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, int | float | str]:
        """What the archive keeps of the data: name, sizes, chance accuracy, checksum."""
        return {
            "name": self.name,
            "num_train": len(self.train_labels),
            "num_validation": len(self.validation_labels),
            "num_test": self.num_test,
            "num_classes": self.num_classes,
            "chance_accuracy": self.chance_accuracy,
            "checksum": self.checksum,
        }


def split(dataset: Dataset, section: DataSection) -> Splits:
    """Training and validation data, the same for the same data set and section, whoever asks.

    `max_train_samples` is a stratified random subset of the training data, taken first; validation is a
    stratified share of what is left, or the test set where `validate_on_test` asks for it (then nothing is
    cut). Raises DataError where a part would be empty, or have one class to train on.
    """
    random = np.random.default_rng(section.seed)
    pool = np.arange(len(dataset.train_labels))
    if section.max_train_samples is not None:
        pool = stratified_subset(dataset.train_labels, section.max_train_samples, random=random)
    if section.validate_on_test:
        train = pool
        validation_images, validation_labels = dataset.test_images, dataset.test_labels
    else:
        train, validation = _cut(dataset, pool, section, random)
        validation_images, validation_labels = (
            dataset.train_images[validation],
            dataset.train_labels[validation],
        )
    train = random.permutation(train)
    warnings = rare_classes(dataset, train=dataset.train_labels[train], validation=validation_labels)
    return Splits(
        name=dataset.name,
        train_images=dataset.train_images[train],
        train_labels=dataset.train_labels[train],
        validation_images=validation_images,
        validation_labels=validation_labels,
        num_classes=dataset.num_classes,
        num_test=len(dataset.test_labels),
        checksum=dataset.checksum,
        warnings=warnings,
    )


def _cut(
    dataset: Dataset, pool: NDArray[np.int64], section: DataSection, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of training and of validation images, out of `pool`."""
    count = round(len(pool) * section.validation_fraction)
    if not 0 < count < len(pool):
        raise DataError(
            f"{dataset.name}: validation_fraction = {section.validation_fraction} of {len(pool)} training "
            f"images leaves {len(pool) - count} to train and {count} to validate on; both must be at least 1"
        )
    is_validation = np.zeros(len(pool), dtype=bool)
    is_validation[stratified_subset(dataset.train_labels[pool], count, random=random)] = True
    return pool[~is_validation], pool[is_validation]
