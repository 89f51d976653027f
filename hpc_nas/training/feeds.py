"""What a session trains and validates on, batch by batch: images in random order, or a text in its own."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.training.augmentation import augment
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.device_data import AnyData, DeviceData, TextData
from hpc_nas.training.intervals import Intervals
from hpc_nas.training.text_feed import TextFeed

VALIDATION_BATCH = 256


class Feed(Protocol):
    """Takes a network through the data. All calls give logits [n, classes] and labels [n]."""

    @property
    def num_validation_batches(self) -> int:
        """Of one validation."""

    def train(self, module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """The next batch of training."""

    def validate(self, module: nn.Module, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The part of the validation data with this number; they are asked for in order, from 0."""

    def state(self) -> Plain:
        """All that the next batches depend on, but for the generator; its tensors may go on changing."""

    def restore(self, state: Plain) -> None:
        """Stand where the feed stood from which `state` is."""


def make_feed(data: AnyData, *, recipe: Recipe, intervals: Intervals, generator: torch.Generator) -> Feed:
    """The feed for such data; `generator` lives on their device."""
    if isinstance(data, TextData):
        return TextFeed(data, recipe=recipe, intervals=intervals)
    return ImageFeed(data, recipe=recipe, intervals=intervals, generator=generator)


class ImageFeed:
    """Images, augmented, in a new random order each epoch."""

    def __init__(
        self, data: DeviceData, *, recipe: Recipe, intervals: Intervals, generator: torch.Generator
    ) -> None:
        self._data = data
        self._recipe = recipe
        self._intervals = intervals
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

    def state(self) -> Plain:
        return {"order": self._order, "batch_in_epoch": self._batch_in_epoch}

    def restore(self, state: Plain) -> None:
        self._order = state["order"].to(self._order.device, copy=True)
        self._batch_in_epoch = state["batch_in_epoch"]

    def _next_indices(self) -> torch.Tensor:
        if self._batch_in_epoch == 0:
            self._order = torch.randperm(
                self._intervals.samples_per_epoch, generator=self._generator, device=self._order.device
            )
        start = self._batch_in_epoch * self._recipe.batch_size
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self._intervals.batches_per_epoch
        return self._order[start : start + self._recipe.batch_size]
