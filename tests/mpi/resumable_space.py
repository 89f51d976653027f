"""A search space of small networks that use every generator and buffer that a checkpoint must keep; a bit slow."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import Network

HOLD_DIR = "RESUMABLE_HOLD_DIR"
"""Environment variable: a directory; while a file `RANK` lies there, no training of that rank goes beyond its
HOLD_BATCH-th batch: signals reach a training that is not over yet, however slow the sender is."""
HOLD_BATCH = 20


class Slow(nn.Module):
    """Takes its time over a training batch, and waits while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._batches = 0
        directory = os.environ.get(HOLD_DIR)
        self._hold = None if directory is None else Path(directory) / os.environ["PMI_RANK"]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and not images.is_meta:
            self._batches += 1
            time.sleep(0.005)
            while self._batches > HOLD_BATCH and self._hold is not None and self._hold.exists():
                time.sleep(0.005)
        return images


def resumable(trial: Any, problem: Any) -> Network:
    """Convolution, batch norm, dropout; adam, a cosine, shifted images."""
    dropout = trial.suggest_float("dropout", 0.1, 0.5)
    layers = [
        Slow(),
        nn.Conv2d(problem.channels, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(4 * problem.height * problem.width, problem.num_classes),
    ]
    recipe = Recipe(optimizer="adam", schedule="cosine", augmentation="shift", batch_size=64)
    return Network(module=nn.Sequential(*layers), recipe=recipe)
