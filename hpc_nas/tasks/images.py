"""Images and their classes: cut, resident on a device, fed in random order with augmentation.

Loss is the cross entropy; the score is the accuracy in percent. Where the images come from: `image_data`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.configuration.text import TextSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.tasks.augmentation import Normalization, augment
from hpc_nas.tasks.base import EXAMPLES, FeedState, HeldOut, Inputs
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.image_data.dataset import Dataset, Images, Labels
from hpc_nas.tasks.image_data.shares import rare_classes
from hpc_nas.tasks.image_data.subsets import stratified_subset
from hpc_nas.tasks.sums import Sums

VALIDATION_BATCH = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageTask:
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
        """See `Task`."""
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

    def check_training(self, section: TrainingSection) -> None:
        """Every setting of a training is for images, too."""

    def to_device(self, device: torch.device) -> ImageData:
        """4 bytes per pixel and channel stay there."""
        mean, deviation = channel_statistics(self.train_images)
        normalization = Normalization(mean=mean.to(device), deviation=deviation.to(device))

        def images(source: Images) -> torch.Tensor:
            return normalization.apply(torch.from_numpy(source).to(device))

        return ImageData(
            problem=self.problem,
            train_images=images(self.train_images),
            train_labels=torch.from_numpy(self.train_labels).to(device),
            validation_images=images(self.validation_images),
            validation_labels=torch.from_numpy(self.validation_labels).to(device),
            normalization=normalization,
        )


def split(dataset: Dataset, section: DataSection) -> ImageTask:
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
    return ImageTask(
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


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """Images float32 [n, c, h, w] with mean 0 and deviation 1 per channel over the training part; labels
    int64 [n]. All candidates of a rank share it; nothing writes to it.
    """

    problem: Problem
    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor
    normalization: Normalization

    @property
    def num_train(self) -> int:
        """Samples to train on."""
        return len(self.train_labels)

    def feed(self, recipe: Recipe, *, batches_per_epoch: int, generator: torch.Generator) -> ImageFeed:
        return ImageFeed(self, recipe=recipe, batches_per_epoch=batches_per_epoch, generator=generator)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(outputs, targets)

    def sums(self) -> Sums:
        return Sums(self.train_labels.device, problem=self.problem)

    def held_out(self, section: DataSection, *, cache_dir: Path) -> HeldOut:
        dataset = load_dataset(section, cache_dir=cache_dir)
        device, by_channel = self.validation_labels.device, self.normalization
        on_test = replace(
            self,
            validation_images=by_channel.apply(torch.from_numpy(dataset.test_images).to(device)),
            validation_labels=torch.from_numpy(dataset.test_labels).to(device),
        )
        return HeldOut(
            data=on_test,
            num_samples=len(dataset.test_labels),
            checksum=dataset.checksum,
            normalization={
                "mean": by_channel.mean.flatten().tolist(),
                "deviation": by_channel.deviation.flatten().tolist(),
            },
        )

    def example_inputs(self, module: nn.Module) -> Inputs:
        return (self.validation_images[:EXAMPLES].cpu(),)


def channel_statistics(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation per channel, each [c, 1, 1], from exact integer sums."""
    axes, count = (0, 2, 3), images.size // images.shape[1]
    mean = images.sum(axis=axes, dtype=np.uint64) / count
    mean_square = np.square(images, dtype=np.uint16).sum(axis=axes, dtype=np.uint64) / count
    deviation = np.sqrt(np.maximum(mean_square - mean**2, 0.0))
    deviation[deviation < 1e-6] = 1.0  # a channel without any contrast
    return (
        torch.from_numpy(mean.astype(np.float32)).reshape(-1, 1, 1),
        torch.from_numpy(deviation.astype(np.float32)).reshape(-1, 1, 1),
    )


class ImageFeed:
    """Images, augmented, in a new random order each epoch."""

    def __init__(
        self, data: ImageData, *, recipe: Recipe, batches_per_epoch: int, generator: torch.Generator
    ) -> None:
        self._data = data
        self._recipe = recipe
        self._batches_per_epoch = batches_per_epoch
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.int64, device=data.train_labels.device)
        self._batch_in_epoch = 0
        self._validation_batch = max(VALIDATION_BATCH, recipe.batch_size)
        self.num_validation_batches = -(-len(data.validation_labels) // self._validation_batch)

    def train(self, module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        indices = self._next_indices()
        images = augment(
            self._data.train_images[indices],
            self._recipe,
            normalization=self._data.normalization,
            generator=self._generator,
        )
        return module(images), self._data.train_labels[indices]

    def validate(self, module: nn.Module, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = slice(index * self._validation_batch, (index + 1) * self._validation_batch)
        images = self._data.validation_images[part].clone()  # a network may work in place
        return module(images), self._data.validation_labels[part]

    def state(self) -> FeedState:
        return {"order": self._order, "batch_in_epoch": self._batch_in_epoch}

    def restore(self, state: FeedState) -> None:
        self._order = state["order"].to(self._order.device, copy=True)
        self._batch_in_epoch = state["batch_in_epoch"]

    def _next_indices(self) -> torch.Tensor:
        if self._batch_in_epoch == 0:
            self._order = torch.randperm(
                self._batches_per_epoch * self._recipe.batch_size,
                generator=self._generator,
                device=self._order.device,
            )
        start = self._batch_in_epoch * self._recipe.batch_size
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self._batches_per_epoch
        return self._order[start : start + self._recipe.batch_size]


class ImageKind:
    """Images by the name of a data set, or in a file of the user's."""

    problem_type = Problem

    def claims(self, section: DataSection) -> bool:
        return True

    def load(self, section: DataSection, *, cache_dir: Path) -> ImageTask:
        if section.text != TextSection():
            raise DataError(f"[data.text] is set, but {section.name!r} holds images; leave the table out")
        return split(load_dataset(section, cache_dir=cache_dir), section)

    def noise(self, problem: Problem, *, num_samples: int, seed: int) -> ImageData:
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(num_samples, *problem.input_shape, generator=generator)
        labels = torch.randint(problem.num_classes, (num_samples,), generator=generator)
        by_channel = (problem.channels, 1, 1)
        return ImageData(
            problem=problem,
            train_images=images,
            train_labels=labels,
            validation_images=images[:EXAMPLES].clone(),
            validation_labels=labels[:EXAMPLES].clone(),
            normalization=Normalization(
                mean=torch.full(by_channel, 128.0), deviation=torch.full(by_channel, 64.0)
            ),
        )


KIND = ImageKind()
