"""What the tests of the training room share: a tiny data set, spaces of one network, one way to train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from optuna.trial import BaseTrial
from torch import nn

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import Network, Space
from hpc_nas.tasks.images import ImageData
from hpc_nas.training.best_weights import NoWeights, Weights
from hpc_nas.training.checkpoint import Checkpoint, Checkpoints, Occasion, WithoutCheckpoints
from hpc_nas.training.program import Job
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.signals import Signal
from hpc_nas.training.trainer import train
from hpc_nas.values import Candidate, Observation, Reason, State

CPU = torch.device("cpu")


def one_network_space(make: Callable[[], nn.Module], **recipe: Any) -> Space:
    """A space that always builds the same network."""

    def function(trial: BaseTrial, problem: Problem) -> Network:
        return Network(module=make(), recipe=Recipe(**{"batch_size": 10, "learning_rate": 0.05, **recipe}))

    return Space(name="test", function=function)


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 4))


def stop(reason: Reason) -> Signal:
    """A rule's word that ends a candidate."""
    return Signal(state=State.STOPPED, reason=reason)


PAUSE = Signal(state=State.PAUSED, reason=Reason.RUNG)
CANCEL = Signal(state=State.CANCELLED, reason=Reason.CANCELLED)


def candidate(*, number: int = 3, seed: int = 1) -> Candidate:
    return Candidate(number=number, seed=seed, parameters={}, num_parameters=1, num_layers=1, macs=1)


class Shelf:
    """Checkpoints in memory: goes on from `start`, wants one on every occasion of `occasions`, keeps them all."""

    def __init__(
        self, start: Checkpoint | None = None, *, occasions: Iterable[Occasion] = tuple(Occasion)
    ) -> None:
        self._start = start
        self._occasions = frozenset(occasions)
        self.kept: list[Checkpoint] = []
        self.num_refused = 0

    def load(self) -> Checkpoint | None:
        return self._start

    def refuse(self) -> None:
        self.num_refused += 1

    def wanted(self, occasion: Occasion) -> bool:
        return occasion in self._occasions

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)


class Trainer:
    """Trains on the tiny data set and keeps what a group would send on."""

    def __init__(self, data: ImageData) -> None:
        self.data = data
        self.observations: list[Observation] = []

    def __call__(
        self,
        space: Space,
        *,
        seed: int = 1,
        attempt: int = 2,
        signals: Iterator[Signal | None] | None = None,
        checkpoints: Checkpoints | None = None,
        on_observation: Callable[[Observation], None] | None = None,
        weights: Weights | None = None,
        clock: Callable[[], float] = lambda: 1000.0,
        **section: Any,
    ) -> TrainingEnd:
        self.observations = []
        settings = TrainingSection(**{"max_epochs": 2.0, **section})
        return train(
            Job(
                candidate=candidate(seed=seed),
                attempt=attempt,
                device=CPU,
                max_epochs=settings.max_epochs,
                checkpoints=checkpoints or WithoutCheckpoints(),
                report=on_observation or self.observations.append,
                check_signal=lambda: next(signals) if signals is not None else None,
            ),
            space=space,
            data=self.data,
            section=settings,
            weights=weights or NoWeights(),
            clock=clock,
        )

    @property
    def curve(self) -> list[tuple[float, ...]]:
        """All that does not depend on how fast this machine is."""
        timed = {"train_s", "validate_s", "time_s"}
        return [tuple(row.model_dump(exclude=timed).values()) for row in self.observations]
