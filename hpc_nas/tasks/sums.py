"""Loss and hits summed over batches, on the device, so that no batch waits for a copy to the host."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from hpc_nas.spaces.problem import AnyProblem


class NonFiniteLoss(Exception):
    """The loss of a network is infinite or not a number."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """Mean loss per image or token, and accuracy or score in percent, over an interval or a validation."""

    loss: float
    accuracy: float


class Sums:
    """Of one interval's training, or of one validation; `num_batches` says how far it is."""

    def __init__(self, device: torch.device, *, problem: AnyProblem) -> None:
        self._problem = problem
        self.num_batches = 0
        self._num_samples = 0
        self._loss = torch.zeros((), device=device)
        self._hits = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count a batch: mean loss, logits [n, classes], labels [n]."""
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
        """Over all batches so far. Raises NonFiniteLoss; waits for the device."""
        loss = self.check_finite(part) / self._num_samples
        accuracy = self._problem.score(loss=loss, hits=int(self._hits), count=self._num_samples)
        return Means(loss=loss, accuracy=accuracy)

    def state(self) -> dict[str, Any]:
        """What `restore` takes back; its tensors go on changing."""
        return {
            "num_batches": self.num_batches,
            "num_samples": self._num_samples,
            "loss": self._loss,
            "hits": self._hits,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where these sums stood."""
        self.num_batches = state["num_batches"]
        self._num_samples = state["num_samples"]
        self._loss.copy_(state["loss"])
        self._hits.copy_(state["hits"])
