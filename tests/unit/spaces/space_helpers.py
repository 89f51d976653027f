"""What the tests of the spaces share: problems, draws, and one way to train."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import optuna
import torch
from torch import nn

from hpc_nas.configuration import SpaceSection, TrainingSection
from hpc_nas.spaces import Problem
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import CollapsedShape, Space
from hpc_nas.tasks.images import ImageData
from hpc_nas.training.checkpoint import WithoutCheckpoints
from hpc_nas.training.program import Job
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.trainer import train
from hpc_nas.values import Candidate, Observation

DIGITS = Problem(channels=1, height=8, width=8, num_classes=10)
FASHION = Problem(channels=1, height=28, width=28, num_classes=10)
CIFAR10 = Problem(channels=3, height=32, width=32, num_classes=10)
CIFAR100 = Problem(channels=3, height=32, width=32, num_classes=100)
PROBLEMS = (DIGITS, FASHION, CIFAR100)
CPU = torch.device("cpu")


def space(name: str, **options: Any) -> Space:
    return load_space(SpaceSection(name=name, **options))


def draw(some_space: Space, problem: Problem, *, seed: int) -> tuple[dict[str, Any], Description]:
    """Parameters and description of the first draw that is a network."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(1000):
        trial = study.ask()
        try:
            description = some_space.draw(trial, problem)
        except CollapsedShape:
            continue
        return trial.params, description
    raise AssertionError("1000 draws collapsed")


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of everything that a network's state is made of."""
    return {name: value.clone() for name, value in (*module.named_parameters(), *module.named_buffers())}


def train_on(
    data: ImageData, some_space: Space, parameters: dict[str, Any], *, seed: int = 1, **section: Any
) -> tuple[TrainingEnd, list[Observation]]:
    """One candidate through the trainer, on digits."""
    rows: list[Observation] = []
    settings = TrainingSection(**{"max_epochs": 1.0, "epochs_per_interval": 1.0, **section})
    end = train(
        Job(
            candidate=Candidate(
                number=0, seed=seed, parameters=parameters, num_parameters=1, num_layers=1, macs=1
            ),
            attempt=0,
            device=CPU,
            max_epochs=settings.max_epochs,
            checkpoints=WithoutCheckpoints(),
            report=rows.append,
            check_signal=lambda: None,
        ),
        space=some_space,
        data=data,
        section=settings,
    )
    return end, rows


class RandomTrial:
    """As much of a trial as a space asks for, without a study behind it: for many draws."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._generator.choice(list(choices))
