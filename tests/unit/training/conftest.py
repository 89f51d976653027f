"""Fixtures of the training room's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.training.datasets import load_dataset
from hpc_nas.training.device_data import DeviceData
from hpc_nas.training.splits import split
from hpc_nas.training.torch_setup import configure_torch

from .training_helpers import CPU, Trainer, fashion_section, make_dataset


@pytest.fixture(scope="session", autouse=True)
def torch_as_in_a_rank() -> None:
    configure_torch(TrainingSection(), threads=1)


@pytest.fixture(scope="session")
def tiny_data() -> DeviceData:
    """80 training and 20 validation images."""
    return DeviceData.from_splits(split(make_dataset(), DataSection()), device=CPU)


@pytest.fixture(scope="session")
def fashion_cache(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache into which Fashion-MNIST's official files were staged once."""
    cache = tmp_path_factory.mktemp("cache")
    load_dataset(fashion_section(test_data), cache_dir=cache)
    return cache


@pytest.fixture
def trainer(tiny_data: DeviceData) -> Trainer:
    return Trainer(tiny_data)
