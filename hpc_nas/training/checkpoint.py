"""A checkpoint in memory: all that the rest of a training depends on, and what asks for one and takes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.values import Candidate, Observation

Plain = dict[str, Any]
"""Tensors on the host, numbers, text and None, in dicts, lists and tuples: what needs no pickled code to be read."""

_SCALARS = (bool, int, float, str, type(None))


class TrainingPosition(BaseModel):
    """Where a training stands, in figures. `device` is a torch device type: generators differ between them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    candidate: Candidate
    attempt: int = Field(ge=0, description="that made this checkpoint")
    device: str
    epochs: float = Field(ge=0.0, description="validated, from the candidate's start")
    batches: int = Field(ge=0, description="trained, from the candidate's start")
    train_s: float = Field(ge=0.0, description="spent in the interval in progress, as is validate_s")
    validate_s: float = Field(ge=0.0)
    observations: tuple[Observation, ...] = Field(description="the learning curve so far")


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """`state` is `Session.capture`'s: a deep copy, which no training touches any more."""

    position: TrainingPosition
    state: Plain


@dataclass(frozen=True, kw_only=True)
class NoCheckpoint:
    """There is none that could be used, and why."""

    message: str


class Occasion(StrEnum):
    """When a training asks whether a checkpoint is wanted."""

    VALIDATED = "validated"  # an observation was made and the training goes on
    LEAVING = "leaving"  # the candidate is to go on later, perhaps elsewhere


class Checkpoints(Protocol):
    """Where one attempt's checkpoints come from and go to. No method may wait for a disk, `load` aside."""

    def load(self) -> Checkpoint | None:
        """Where the attempt goes on from; None: from the candidate's start. Called once, and not kept."""

    def refuse(self) -> None:
        """What `load` gave does not fit this training: no attempt is to go on from it again."""

    def wanted(self, occasion: Occasion) -> bool:
        """Shall a copy be made now? It holds the training up for the time of the copy."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Take over a copy that was wanted after a validation. One made on leaving is in `TrainingEnd`."""


class WithoutCheckpoints:
    """Starts from nothing and keeps nothing."""

    def load(self) -> Checkpoint | None:
        return None

    def refuse(self) -> None:
        raise ValueError("no checkpoint was loaded")

    def wanted(self, occasion: Occasion) -> bool:
        return False

    def keep(self, checkpoint: Checkpoint) -> None:
        raise ValueError("no checkpoint was wanted")


def copy_to_host(value: Any, *, where: str) -> Any:
    """A deep copy on the host; waits for what a GPU still computes. TypeError names what is no plain content."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copy_to_host(item, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [copy_to_host(item, where=f"{where}[{index}]") for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if type(value) in _SCALARS:
        return value
    raise TypeError(
        f"{where} is a {type(value).__name__}, which no checkpoint holds; keep a network's state in tensors "
        "(parameters, buffers), numbers and text"
    )
