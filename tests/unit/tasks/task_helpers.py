"""Small data for tests of tasks and trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpc_nas.configuration import DataSection
from hpc_nas.tasks.image_data.dataset import Dataset

CPU = torch.device("cpu")


def make_dataset(num_train: int = 100, num_test: int = 20, *, num_classes: int = 4) -> Dataset:
    """Images 1x4x4 whose brightest row tells the class, in uneven shares of the classes."""
    random = np.random.default_rng(7)
    labels = np.minimum(random.integers(0, num_classes + 1, num_train + num_test), num_classes - 1)
    images = random.integers(0, 60, (len(labels), 1, 4, 4)).astype(np.uint8)
    images[np.arange(len(labels)), 0, labels % 4] += 150
    return Dataset(
        name="tiny",
        train_images=images[:num_train],
        train_labels=labels[:num_train],
        test_images=images[num_train:],
        test_labels=labels[num_train:],
        num_classes=num_classes,
    )


def fashion_section(test_data: Path, **changes: Any) -> DataSection:
    return DataSection(name="fashion_mnist", data_dir=str(test_data / "fashion_mnist"), **changes)
