"""Classifiers of images: the images as normalised tensors (nothing is downloaded), and their training."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.bench.environment import DATA_VARIABLE
from benchmarks.curves.recorder.training import (
    Drop,
    Observation,
    Optimizer,
    Schedule,
    clip_gradients,
    keep,
    torch_generator,
)
from hpc_nas.errors import DataError

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
            f"{path}: no such file; set {DATA_VARIABLE} to the directory that holds fashion_mnist/ and images/"
        )
    return path


BATCH_SEED = 1


class Networks(Protocol):
    """n networks of one architecture."""

    @property
    def parameters(self) -> Sequence[Tensor]:
        """Each [n, ., .]."""

    def logits(self, inputs: Tensor, drop: Drop) -> Tensor:
        """Of inputs [n, B, ...]: [n, B, classes]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long and how. `label_smoothing` [n, 1] and `max_gradient_norm`: None for none."""

    num_observations: int
    steps_per_observation: int
    batch_size: int
    schedule: Schedule
    drop: Drop = keep
    label_smoothing: Tensor | None = None
    max_gradient_norm: float | None = None
    validation_chunk: int = 1000


def observe_classifiers(
    networks: Networks, optimizer: Optimizer, *, images: Images, plan: Plan
) -> Iterator[Observation]:
    """Yield val_acc, val_loss, train_acc and train_loss after every `steps_per_observation` steps.

    The training ones are means over these steps, as the networks were at each. Every network draws its own batches.
    """
    num_networks = len(networks.parameters[0])
    batches = _batches(images, num_networks=num_networks, batch_size=plan.batch_size)
    step, total = 0, plan.num_observations * plan.steps_per_observation
    for _ in range(plan.num_observations):
        hits, losses = torch.zeros(num_networks), torch.zeros(num_networks)
        for _ in range(plan.steps_per_observation):
            inputs, labels = next(batches)
            loss, smooth, hit = _losses(networks.logits(inputs, plan.drop), labels)
            smoothing = plan.label_smoothing
            objective = loss if smoothing is None else (1 - smoothing) * loss + smoothing * smooth
            objective.mean(1).sum().backward()
            if plan.max_gradient_norm is not None:
                clip_gradients(optimizer.parameters, max_norm=plan.max_gradient_norm)
            optimizer.step(plan.schedule(step, total))
            step += 1
            hits += hit.mean(1)
            losses += loss.detach().mean(1)
        yield {
            **_validate(networks, images, chunk=plan.validation_chunk),
            "train_acc": (100 * hits / plan.steps_per_observation).numpy(),
            "train_loss": (losses / plan.steps_per_observation).numpy(),
        }


def _batches(images: Images, *, num_networks: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs [n, B, ...] and labels [n, B] for ever: each network goes through its own order, then draws a new one."""
    num_images = len(images.train_labels)
    num_views = len(images.train_inputs) // num_images
    generator = torch_generator(BATCH_SEED)
    while True:
        order = torch.stack([torch.randperm(num_images, generator=generator) for _ in range(num_networks)])
        for start in range(0, num_images - batch_size + 1, batch_size):
            chosen = order[:, start : start + batch_size]
            labels = images.train_labels[chosen]
            if num_views > 1:
                views = torch.randint(0, num_views, chosen.shape, generator=generator)
                chosen = chosen + num_images * views
            yield images.train_inputs[chosen], labels


@torch.no_grad()
def _validate(networks: Networks, images: Images, *, chunk: int) -> Observation:
    num_networks, num_images = len(networks.parameters[0]), len(images.validation_labels)
    hits, losses = torch.zeros(num_networks), torch.zeros(num_networks)
    for start in range(0, num_images, chunk):
        inputs = images.validation_inputs[start : start + chunk]
        labels = images.validation_labels[start : start + chunk].expand(num_networks, -1)
        shared = inputs.expand(num_networks, *inputs.shape)
        loss, _, hit = _losses(networks.logits(shared, keep), labels)
        hits += hit.sum(1)
        losses += loss.sum(1)
    return {"val_acc": (100 * hits / num_images).numpy(), "val_loss": (losses / num_images).numpy()}


def _losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropy with the labels, cross entropy with the uniform distribution, hit or miss: each [n, B]."""
    log_probabilities = F.log_softmax(logits, -1)
    loss = -log_probabilities.gather(-1, labels[..., None])[..., 0]
    return loss, -log_probabilities.mean(-1), (logits.argmax(-1) == labels).float()
