"""The space `nas-bench-201`: 15,625 cells in a fixed skeleton (Dong & Yang, arXiv 2001.00326; Cao 4.2.1).

Skeleton: a 3x3 convolution to 16 channels; three stages of 5 equal cells with 16, 32 and 64 channels, a residual
block of stride 2 between them; normalization, global average, one fully connected layer. A convolution of a cell is
ReLU, convolution, batch normalization. Sizes agree with the benchmark's records, whose FLOPs are our MACs and the
biases of the last layer. `none` passes zeros, so a cell that leads nowhere leaves the layers before it as they were.

Recipe of the benchmark (Dong & Yang, Table 1): SGD, Nesterov's momentum of 0.9, weight decay 5e-4, 0.1 falling with a
cosine to 0, batches of 256, random flips and shifts by 4 pixels, 200 epochs. Cao (A.3) takes plain momentum, lets the
learning rate fall linearly and trains 128 epochs in the search: `[training] optimizer = "sgd"`, `schedule = "linear"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.nas_bench_201_cell import EDGES, Cell, Operation
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import Network

__all__ = ["draw_cell", "nas_bench_201", "nas_bench_201_module"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]

NUM_STAGES = 3
MIN_PIXELS = 2 ** (NUM_STAGES - 1)


def nas_bench_201(
    trial: BaseTrial,
    problem: Problem,
    *,
    num_channels: Positive = 16,
    cells_per_stage: Positive = 5,
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 0.1,
    batch_size: Positive = 256,
) -> Network:
    """Draw the operation of each edge; the defaults are the benchmark's."""
    module = nas_bench_201_module(
        draw_cell(trial), problem, num_channels=num_channels, cells_per_stage=cells_per_stage
    )
    recipe = Recipe(
        optimizer="nesterov",
        learning_rate=learning_rate,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="cosine",
        batch_size=batch_size,
        augmentation="shift_flip",
    )
    return Network(module=module, recipe=recipe)


def draw_cell(trial: BaseTrial) -> Cell:
    """Ask for the six operations, by the names node1_from0, node2_from0, ..., node3_from2."""
    choices = [str(operation) for operation in Operation]
    return Cell(
        tuple(
            Operation(trial.suggest_categorical(f"node{node}_from{source}", choices))
            for node, source in EDGES
        )
    )


def nas_bench_201_module(
    cell: Cell, problem: Problem, *, num_channels: int = 16, cells_per_stage: int = 5
) -> nn.Sequential:
    """The network of a cell. Raises SpaceError for images smaller than its two halvings leave."""
    if min(problem.height, problem.width) < MIN_PIXELS:
        raise SpaceError(
            f"images of {problem.height}x{problem.width} pixels are too small; {MIN_PIXELS} are the least"
        )
    layers: list[nn.Module] = [
        nn.Conv2d(problem.channels, num_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(num_channels),
    ]
    channels = num_channels
    for stage in range(NUM_STAGES):
        if stage > 0:
            layers.append(_Halving(channels))
            channels *= 2
        layers += [_CellModule(cell, channels) for _ in range(cells_per_stage)]
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), GlobalAverage(), nn.Linear(channels, problem.num_classes)]
    return nn.Sequential(*layers)


def _convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class _Nothing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(images)


_OPERATIONS: dict[Operation, Callable[[int], nn.Module]] = {
    Operation.NONE: lambda channels: _Nothing(),
    Operation.SKIP: lambda channels: nn.Identity(),
    Operation.CONVOLUTION_1X1: lambda channels: _convolution(channels, channels, kernel=1),
    Operation.CONVOLUTION_3X3: lambda channels: _convolution(channels, channels, kernel=3),
    Operation.AVERAGE_POOLING: lambda channels: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
}


class _CellModule(nn.Module):
    """Each node is the sum of what its edges bring; the last one is the cell's output."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(_OPERATIONS[operation](channels) for operation in cell.operations)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        nodes = {0: images}
        for edge, (node, source) in zip(self.edges, EDGES, strict=True):
            brought = edge(nodes[source])
            nodes[node] = nodes[node] + brought if node in nodes else brought
        return nodes[3]


class _Halving(nn.Module):
    """The residual block between two stages: half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, 2 * channels, kernel=3, stride=2)
        self.second = _convolution(2 * channels, 2 * channels, kernel=3)
        self.shortcut = nn.Sequential(
            # The last row or column of an odd size has a window of its own, as it has in the convolution.
            nn.AvgPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        halved: torch.Tensor = self.second(self.first(images)) + self.shortcut(images)
        return halved
