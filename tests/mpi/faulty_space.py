"""A search space whose networks misbehave on request: real faults, raised inside real trainer ranks."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import torch
from torch import nn

FAULTS = ("none", "raise", "nan", "kill", "exit", "oom", "slow", "device_lost", "hang")


class Faulty(nn.Module):
    """A linear classifier that does what `fault` says at its `at_batch`-th training batch."""

    def __init__(self, num_inputs: int, num_classes: int, *, fault: str, at_batch: int):
        super().__init__()
        self.linear = nn.Linear(num_inputs, num_classes)
        self._fault = fault
        self._left = at_batch

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(images.flatten(1))
        if not self.training or images.is_meta:
            return logits
        self._left -= 1
        if self._fault == "slow":
            time.sleep(0.02)
        if self._left == 0:
            return self._misbehave(logits)
        return logits

    def _misbehave(self, logits: torch.Tensor) -> torch.Tensor:
        if self._fault == "raise":
            raise RuntimeError("this network raises while training")
        if self._fault == "nan":
            return logits * float("nan")
        if self._fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "exit":
            os._exit(3)
        if self._fault == "hang":
            signal.sigwait([])  # for ever
        if self._fault == "oom":
            torch.empty(1 << 50)
        if self._fault == "device_lost":
            raise RuntimeError("CUDA error: device-side assert triggered")
        return logits


def faulty(trial: Any, problem: Any, *, share: float = 1.0) -> nn.Module:
    """Draws a fault and when it strikes; `share` is unused but shows that options arrive."""
    fault = trial.suggest_categorical("fault", FAULTS)
    at_batch = trial.suggest_int("at_batch", 1, 100)
    num_inputs = problem.channels * problem.height * problem.width
    return Faulty(num_inputs, problem.num_classes, fault=fault, at_batch=at_batch)
