"""One data set in memory, validated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import DataError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images and their classes, with the test set apart.

    Images are uint8 [n, channels, height, width], labels int64 [n] in 0..num_classes-1. `checksum` is the
    SHA-256 of everything that training sees, so two runs can be told to have used the same data.
    Raises DataError on construction, naming the data set, what was found and what is expected.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    num_classes: int
    checksum: str = field(init=False)

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DataError(f"{self.name}: found {self.num_classes} class(es); at least 2 are needed")
        check_images_and_labels(self.train_images, self.train_labels, where=f"{self.name}, training data")
        check_images_and_labels(self.test_images, self.test_labels, where=f"{self.name}, test data")
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: training images are {self.train_images.shape[1:]} but test images "
                f"{self.test_images.shape[1:]} (channels, height, width); expected the same"
            )
        for part, labels in (("training", self.train_labels), ("test", self.test_labels)):
            check_label_range(labels, self.num_classes, where=f"{self.name}, {part} data")
        object.__setattr__(self, "checksum", self._compute_checksum())

    def _compute_checksum(self) -> str:
        digest = hashlib.sha256(str(self.num_classes).encode())
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def check_images_and_labels(images: NDArray[Any], labels: NDArray[Any], *, where: str) -> None:
    """Raise DataError unless images are uint8 [n,c,h,w] and labels int64 [n], n at least 1."""
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(
            f"{where}: images are {images.dtype} with shape {images.shape}; "
            "expected uint8 [n, channels, height, width]"
        )
    if labels.ndim != 1 or labels.dtype != np.int64:
        raise DataError(f"{where}: labels are {labels.dtype} with shape {labels.shape}; expected int64 [n]")
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images but {len(labels)} labels; expected as many")
    if 0 in images.shape:
        raise DataError(f"{where}: images have shape {images.shape}; no dimension may be 0")


def check_label_range(labels: Labels, num_classes: int, *, where: str) -> None:
    """Raise DataError unless every label lies in 0..num_classes-1; the first offender is named."""
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(outside):
        raise DataError(
            f"{where}: {len(outside)} label(s) out of range, the first at index {outside[0]}: "
            f"{labels[outside[0]]}; expected 0..{num_classes - 1} for {num_classes} classes"
        )
