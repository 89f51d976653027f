"""The images that the networks are trained on, as normalised tensors; nothing is downloaded."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpc_nas.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
VARIABLE = "HPC_NAS_TEST_DATA"
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Images:
    """Training and validation inputs, float32, and labels, int64.

    `train_inputs` may hold several views of the N training images (the image, mirrored): first N of the one kind,
    then N of the next; there are N `train_labels`.
    """

    train_inputs: Tensor
    train_labels: Tensor
    validation_inputs: Tensor
    validation_labels: Tensor


def data_dir() -> Path:
    """Directory of the images: HPC_NAS_TEST_DATA, else shared/data beside the checkout; it need not exist."""
    return Path(os.environ.get(VARIABLE, ROOT.parent / "shared" / "data")).resolve()


def fashion_mnist(directory: Path, *, num_train: int, num_validation: int, pool: int) -> Images:
    """Random parts of the official training and test images, averaged over blocks of pool x pool; one row each.

    Raises DataError where a file is missing.
    """
    shuffle, parts = np.random.default_rng(SPLIT_SEED), []
    for part, size in (("train", num_train), ("t10k", num_validation)):
        images = _read_idx(directory / "fashion_mnist" / f"{part}-images-idx3-ubyte.gz")
        labels = _read_idx(directory / "fashion_mnist" / f"{part}-labels-idx1-ubyte.gz")
        chosen = shuffle.permutation(len(images))[:size]
        blocks = images[chosen].astype(np.float32) / 255
        blocks = blocks.reshape(size, 28 // pool, pool, 28 // pool, pool).mean((2, 4))
        parts.append((torch.tensor(blocks), torch.tensor(labels[chosen].astype(np.int64))))
    (train, train_labels), (validation, validation_labels) = parts
    mean, deviation = train.mean(), train.std()
    return Images(
        train_inputs=((train - mean) / deviation).flatten(1),
        train_labels=train_labels,
        validation_inputs=((validation - mean) / deviation).flatten(1),
        validation_labels=validation_labels,
    )


def cifar10_subset(directory: Path, *, num_train: int, num_validation: int, pool: int) -> Images:
    """The subset split anew (its own test part is too small to rank by), averaged over blocks, [N, 3, side, side].

    Raises DataError where the file is missing.
    """
    path = _existing(directory / "images" / "cifar10_subset_7000.npz")
    with np.load(path) as content:
        images, labels = content["images"].astype(np.float32) / 255, content["labels"].astype(np.int64)
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    side = 32 // pool
    blocks = images[shuffled].reshape(-1, side, pool, side, pool, 3).mean((2, 4))
    inputs, targets = torch.tensor(blocks).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels[shuffled])
    mean, deviation = inputs.mean((0, 2, 3), keepdim=True), inputs.std((0, 2, 3), keepdim=True)
    inputs = (inputs - mean) / deviation
    training = slice(num_validation, num_validation + num_train)
    return Images(
        train_inputs=inputs[training],
        train_labels=targets[training],
        validation_inputs=inputs[:num_validation],
        validation_labels=targets[:num_validation],
    )


def digits(*, num_train: int) -> Images:
    """The 1,797 handwritten digits that come with scikit-learn; those not trained on validate."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(pixels))
    inputs = torch.tensor(((pixels[shuffled] - 4.9) / 6).astype(np.float32))
    targets = torch.tensor(labels[shuffled].astype(np.int64))
    return Images(
        train_inputs=inputs[:num_train],
        train_labels=targets[:num_train],
        validation_inputs=inputs[num_train:],
        validation_labels=targets[num_train:],
    )


def with_label_noise(labels: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """The labels, a random `share` of them replaced by a random one of ten (which may be the same)."""
    replaced = torch.rand(len(labels), generator=generator) < share
    return torch.where(replaced, torch.randint(0, 10, labels.shape, generator=generator), labels)


def _read_idx(path: Path) -> NDArray[Any]:
    """An array of bytes in the IDX format: magic number, whose last byte counts the axes; sizes; values."""
    content = gzip.decompress(_existing(path).read_bytes())
    num_axes = content[3]
    shape = np.frombuffer(content, ">i4", count=num_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def _existing(path: Path) -> Path:
    """The path. Raises DataError where there is no such file."""
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; set {VARIABLE} to the directory that holds fashion_mnist/ and images/"
        )
    return path
