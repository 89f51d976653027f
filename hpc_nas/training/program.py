"""What a trainer rank runs for a candidate: a training program, which gets a job and reports while it trains.

The built-in one is `trainer.BuiltInTraining`; whatever else has `run(job)` takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from hpc_nas.training.checkpoint import Checkpoints
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.signals import Signal
from hpc_nas.values import Candidate, Observation


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at one candidate.

    `report` takes each observation as soon as it is known, and what it raises goes through: nothing can be recorded.
    `check_signal` is called between batches; it gives a signal once the attempt is to end. `checkpoints` is where the
    attempt goes on from, and takes copies. `max_epochs` is the full budget.
    """

    candidate: Candidate
    attempt: int
    device: torch.device
    max_epochs: float
    checkpoints: Checkpoints
    report: Callable[[Observation], None]
    check_signal: Callable[[], Signal | None]

    @property
    def number(self) -> int:
        """The candidate's."""
        return self.candidate.number

    @property
    def seed(self) -> int:
        """Everything random in the training comes from it."""
        return self.candidate.seed

    @property
    def parameters(self) -> Mapping[str, bool | int | float | str]:
        """What the search space drew."""
        return self.candidate.parameters


class TrainingProgram(Protocol):
    """Trains one candidate after the other, on what its trainer rank keeps."""

    def run(self, job: Job) -> TrainingEnd:
        """Train until the budget is used or a signal comes.

        A failure of the candidate is an end with its reason; what ends the rank is raised (DeviceLost, RecordError).
        """
