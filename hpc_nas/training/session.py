"""The state of one training: network, optimizer, schedule, generator, position in the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.space import Space
from hpc_nas.training.augmentation import augment
from hpc_nas.training.device_data import DeviceData
from hpc_nas.training.failures import NonFiniteLoss
from hpc_nas.training.intervals import plan_intervals
from hpc_nas.training.optimization import make_optimizer, make_schedule
from hpc_nas.values import Candidate

VALIDATION_BATCH = 256
FINITE_CHECK_BATCHES = 32
"""Batches between looks at the loss on a GPU, where each look waits for all that is queued."""
_SHUFFLING = 0x5DEECE66D1B54A32  # keeps the draws of shuffling apart from those of the weights


@dataclass(frozen=True, kw_only=True)
class Means:
    """Mean loss per sample, and accuracy in percent, over one interval or one validation."""

    loss: float
    accuracy: float


class Session:
    """One candidate in training. Everything random in it comes from `candidate.seed`.

    Its methods run the network's own code and raise whatever that raises, NonFiniteLoss besides. On a GPU
    they only queue work; `training_means` and `validation_means` wait for it.
    """

    def __init__(
        self,
        candidate: Candidate,
        *,
        space: Space,
        problem: Problem,
        data: DeviceData,
        section: TrainingSection,
        device: torch.device,
    ) -> None:
        """Build the network on the CPU, so that all devices begin with the same weights, and move it."""
        torch.manual_seed(candidate.seed)  # weights and dropout; every device
        network = space.rebuild(candidate.parameters, problem)
        self.recipe = network.recipe.override(section)
        self.intervals = plan_intervals(len(data.train_labels), self.recipe.batch_size, section=section)
        self.learning_rate = self.recipe.learning_rate
        self.num_validation_batches = -(-len(data.validation_labels) // self._validation_batch)
        self._data = data
        self._module = network.module.to(device)
        self._optimizer = make_optimizer(self._module, self.recipe)
        self._schedule = make_schedule(self._optimizer, self.recipe, num_batches=self.intervals.num_batches)
        self._generator = torch.Generator(device).manual_seed(candidate.seed ^ _SHUFFLING)
        self._check_batches = 1 if device.type == "cpu" else FINITE_CHECK_BATCHES
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._batch_in_epoch = 0
        self._training = _Sums(device)
        self._validation = _Sums(device)

    @property
    def _validation_batch(self) -> int:
        return max(VALIDATION_BATCH, self.recipe.batch_size)

    def train_batch(self) -> None:
        """One optimizer step on the next batch."""
        indices = self._next_indices()
        images = augment(
            self._data.train_images[indices], self.recipe.augmentation, generator=self._generator
        )
        labels = self._data.train_labels[indices]
        self._module.train()
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._module(images)
        loss = cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._training.add(loss.detach(), logits.detach(), labels)
        if self._training.num_batches % self._check_batches == 0:
            self._training.check_finite("training")
        self.learning_rate = self._optimizer.param_groups[0]["lr"]
        self._schedule.step()

    def training_means(self) -> Means:
        """Over all batches since the last call; accuracy as seen while training."""
        means = self._training.means("training")
        self._training = _Sums(self._order.device)
        return means

    @torch.no_grad()
    def validate_batch(self, index: int) -> None:
        """The part of the validation data at `index`, in 0..num_validation_batches-1."""
        part = slice(index * self._validation_batch, (index + 1) * self._validation_batch)
        labels = self._data.validation_labels[part]
        self._module.eval()
        images = self._data.validation_images[part].clone()  # a network may work in place
        logits = self._module(images)
        self._validation.add(cross_entropy(logits, labels), logits, labels)

    def validation_means(self) -> Means:
        """Over all validation batches since the last call."""
        means = self._validation.means("validation")
        self._validation = _Sums(self._order.device)
        return means

    def close(self) -> None:
        """Let go of the network and all that was made for it; nothing else may be called afterwards."""
        self.__dict__.clear()

    def _next_indices(self) -> torch.Tensor:
        if self._batch_in_epoch == 0:
            self._order = torch.randperm(
                self.intervals.samples_per_epoch, generator=self._generator, device=self._order.device
            )
        start = self._batch_in_epoch * self.recipe.batch_size
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self.intervals.batches_per_epoch
        return self._order[start : start + self.recipe.batch_size]


class _Sums:
    """Loss and hits summed on the device, so that no batch waits for a copy to the host."""

    def __init__(self, device: torch.device) -> None:
        self.num_batches = 0
        self._num_samples = 0
        self._loss = torch.zeros((), device=device)
        self._hits = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.num_batches += 1
        self._num_samples += len(labels)
        self._loss += loss * len(labels)
        self._hits += (logits.argmax(dim=1) == labels).sum()

    def check_finite(self, part: str) -> float:
        """The sum of losses; NonFiniteLoss where it is none. A bad value stays in the sum: none is missed."""
        total = float(self._loss)
        if not math.isfinite(total):
            raise NonFiniteLoss(f"{part} loss is not finite")
        return total

    def means(self, part: str) -> Means:
        loss = self.check_finite(part) / self._num_samples
        return Means(loss=loss, accuracy=100.0 * int(self._hits) / self._num_samples)
