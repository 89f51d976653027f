"""Another search space behind a gate: its trainings wait there until a test lets them go on (`tests.gate`)."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpc_nas.configuration import SpaceSection
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Network

CLOSED = "closed"
"""The gate is closed while this file lies in its directory. It says how many trainings pass all the same, and how many
batches the others may do."""
POLL_S = 0.02
LIMIT_S = 900.0  # beyond every test's own limit: no training waits for ever


class Gate(nn.Module):
    """Stands before a network: in a trainer rank its training waits here while the gate is closed."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._done = 0
        self._place: int | None = None  # among those that came to it

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        # What looks at a network elsewhere (its size, a first try) is no training.
        if self.training and not inputs.is_meta and "PMI_RANK" in os.environ:
            self._wait()
            self._done += 1
        return inputs

    def _wait(self) -> None:
        until = time.monotonic() + LIMIT_S
        while (closed := self._closed()) is not None:
            passing, batches = closed
            if self._done < batches:
                return
            if self._place is None:
                self._place = self._arrive()
            if self._place < passing:
                return
            if time.monotonic() > until:
                raise TimeoutError(f"the gate {self._directory} stayed closed")
            time.sleep(POLL_S)

    def _closed(self) -> tuple[int, int] | None:
        """How many pass, and after how many batches the others wait; None where the gate is open."""
        try:
            passing, batches = (self._directory / CLOSED).read_text().split()
        except FileNotFoundError:
            return None
        return int(passing), int(batches)

    def _arrive(self) -> int:
        """How many came before, of all trainer ranks."""
        place = 0
        while True:
            try:
                (self._directory / f"{place:05d}").touch(exist_ok=False)
            except FileExistsError:
                place += 1
            else:
                return place


def gated(trial: Any, problem: Any, *, gate: str, inner: str = "random-cnn", **options: Any) -> Network:
    """The network that the space `inner` draws, with these options of its own, behind a gate."""
    space = load_space(SpaceSection(name=inner, **options))
    network = space.function(trial, problem, **space.options)
    if not isinstance(network, Network):
        network = Network(module=network)
    module = nn.Sequential(Gate(Path(gate)), network.module)
    return dataclasses.replace(network, module=module)
