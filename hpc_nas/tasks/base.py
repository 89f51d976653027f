"""What every kind of task has: what it is to a space, to a training, to an export and to a report.

A task is what candidates are trained on and judged by: data, cut and checked; batches; loss and metrics; and the score
in 0..100 that strategies and estimators see. Each kind is one file beside this one and a line in `registry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.tasks.sums import Sums

TEST_FRACTION = 0.2
"""Of data that come without a test set."""
EXAMPLES = 2
"""Samples of the batch by which a network is exported: one would fix the size."""

Inputs = tuple[Any, ...]
"""What a network is called with."""
FeedState = dict[str, Any]
"""All that the next batches depend on, but for the generator."""


class Feed(Protocol):
    """Takes a network through the data, batch by batch. All calls give outputs and targets for `TaskData.loss`."""

    @property
    def num_validation_batches(self) -> int:
        """Of one validation."""

    def train(self, module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """The next batch of training."""

    def validate(self, module: nn.Module, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The part of the validation data with this number; they are asked for in order, from 0."""

    def state(self) -> FeedState:
        """All that the next batches depend on; its tensors may go on changing."""

    def restore(self, state: FeedState) -> None:
        """Stand where the feed stood from which `state` is."""


class TaskData(Protocol):
    """A task's training and validation data, resident on a device. All candidates of a rank share it; nothing writes
    to it.
    """

    @property
    def problem(self) -> AnyProblem:
        """What a network has to fit."""

    @property
    def num_train(self) -> int:
        """Samples to train on."""

    def feed(self, recipe: Recipe, *, batches_per_epoch: int, generator: torch.Generator) -> Feed:
        """A feed at its start; `generator` lives on the data's device."""

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean over a batch: what is minimised."""

    def sums(self) -> Sums:
        """Of loss and metrics over batches, empty."""

    def held_out(self, section: DataSection, *, cache_dir: Path) -> HeldOut:
        """The test set, loaded from where trainers found the rest. Raises DataError."""

    def example_inputs(self, module: nn.Module) -> Inputs:
        """What a network on the host can be run on: a batch of EXAMPLES samples."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """A campaign's data with the test set where validation data stand, prepared as the training data are.

    `normalization` is the mean and the deviation that were applied, by channel; a text has none.
    """

    data: TaskData
    num_samples: int
    checksum: str
    normalization: dict[str, list[float]] | None


class Task(Protocol):
    """Data in memory, cut into training, validation and test data, and what is asked of a network on them."""

    @property
    def problem(self) -> AnyProblem:
        """What a network has to fit."""

    @property
    def num_train(self) -> int:
        """Samples to train on."""

    @property
    def num_validation(self) -> int:
        """Samples to validate on."""

    @property
    def num_test(self) -> int:
        """Samples of the test set."""

    @property
    def chance_accuracy(self) -> float:
        """The score in percent of knowing nothing but the shares of the targets."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the whole data set."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that candidates are trained and validated on, in order: the same data give the same curves.

        Unlike `checksum` it changes with every key that changes the cut.
        """

    @property
    def warnings(self) -> tuple[str, ...]:
        """What lets no campaign fail and is no good sign, a line each."""

    def check_training(self, section: TrainingSection) -> None:
        """Raise ConfigurationError for settings that are for other kinds of data."""

    def to_device(self, device: torch.device) -> TaskData:
        """Copy training and validation data to a device."""


class TaskKind(Protocol):
    """One kind of task, as the registry knows it."""

    @property
    def problem_type(self) -> type[AnyProblem]:
        """What its problems are."""

    def claims(self, section: DataSection) -> bool:
        """Does `section.name` name data of this kind? Looks at names alone."""

    def load(self, section: DataSection, *, cache_dir: Path) -> Task:
        """Load, check and cut the data, the same for everybody. Raises DataError."""

    def noise(self, problem: Any, *, num_samples: int, seed: int) -> TaskData:
        """Data of the problem's shape without any meaning, on the host: at most as many are validated on."""
