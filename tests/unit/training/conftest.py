"""Fixtures of the training room's tests."""

from __future__ import annotations

import pytest

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.tasks.images import ImageData, split
from hpc_nas.training.torch_setup import configure_torch

from ..tasks.task_helpers import make_dataset
from .training_helpers import CPU, Trainer


@pytest.fixture(scope="session", autouse=True)
def torch_as_in_a_rank() -> None:
    configure_torch(TrainingSection(), threads=1)


@pytest.fixture(scope="session")
def tiny_data() -> ImageData:
    """80 training and 20 validation images."""
    return split(make_dataset(), DataSection()).to_device(CPU)


@pytest.fixture
def trainer(tiny_data: ImageData) -> Trainer:
    return Trainer(tiny_data)
