"""The network of a DARTS genotype: a stem and a row of cells, at a third and two thirds of it reduction cells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.darts_genotype import CellPlan, Genotype
from hpc_nas.spaces.darts_operations import HalvedProjection, make_operation, projection
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.regularization import Cutout, Growth, PathDropout, add_auxiliary_loss, drop_paths

__all__ = ["DartsNetwork", "DartsSettings"]

STEM_MULTIPLIER = 3
NUM_NODES = 4
MIN_PIXELS = 5
"""Two halvings leave 2, which the auxiliary tower needs."""


@dataclass(frozen=True, kw_only=True)
class DartsSettings:
    """The size of a network and its regularization; 0 switches each of the latter off."""

    num_cells: int
    num_channels: int
    cutout_length: int = 0
    path_dropout: float = 0.0
    path_dropout_growth: Growth = "linear"
    auxiliary_weight: float = 0.0


class DartsNetwork(nn.Module):
    """Logits of the cells of a genotype. Raises SpaceError for images of less than 5 pixels."""

    def __init__(self, genotype: Genotype, problem: Problem, settings: DartsSettings) -> None:
        super().__init__()
        size = min(problem.height, problem.width)
        if size < MIN_PIXELS:
            raise SpaceError(
                f"images of {problem.height}x{problem.width} pixels are too small; {MIN_PIXELS} are the least"
            )
        reductions = {settings.num_cells // 3, 2 * settings.num_cells // 3}
        self.cutout = Cutout(settings.cutout_length) if settings.cutout_length > 0 else nn.Identity()
        self.path_dropout = _path_dropout(settings)
        self.auxiliary_weight = settings.auxiliary_weight
        self.auxiliary_behind = 2 * settings.num_cells // 3
        channels = settings.num_channels
        stem = STEM_MULTIPLIER * channels
        self.stem = nn.Sequential(
            nn.Conv2d(problem.channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        self.cells = nn.ModuleList()
        self.auxiliary: nn.Module | None = None
        before, last, was_reduction = stem, stem, False
        for index in range(settings.num_cells):
            is_reduction = index in reductions
            if is_reduction:
                channels, size = 2 * channels, (size + 1) // 2
            plan = genotype.reduction if is_reduction else genotype.normal
            self.cells.append(_Cell(plan, (before, last), channels, (was_reduction, is_reduction)))
            before, last, was_reduction = last, NUM_NODES * channels, is_reduction
            if index == self.auxiliary_behind and settings.auxiliary_weight > 0.0:
                self.auxiliary = _auxiliary_tower(last, problem, size=size)
        self.classifier = nn.Sequential(GlobalAverage(), nn.Linear(last, problem.num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rate = self.path_dropout() if self.path_dropout is not None and self.training else None
        before = last = self.stem(self.cutout(images))
        auxiliary: torch.Tensor | None = None
        for index, cell in enumerate(self.cells):
            before, last = last, cell(before, last, rate)
            if index == self.auxiliary_behind and self.auxiliary is not None and self.training:
                auxiliary = self.auxiliary(last)
        logits: torch.Tensor = self.classifier(last)
        if auxiliary is None:
            return logits
        return add_auxiliary_loss(logits, auxiliary, weight=self.auxiliary_weight)


class _Cell(nn.Module):
    def __init__(
        self, plan: CellPlan, inputs: tuple[int, int], channels: int, reduces: tuple[bool, bool]
    ) -> None:
        """`inputs`: channels of the two cells before. `reduces`: whether the one before, and this one, halve."""
        super().__init__()
        before, last = inputs
        was_reduction, is_reduction = reduces
        self.sources = [(first.source, second.source) for first, second in plan.nodes]
        self.project_before = (
            HalvedProjection(before, channels) if was_reduction else projection(before, channels)
        )
        self.project_last = projection(last, channels)
        self.operations = nn.ModuleList(
            make_operation(edge.operation, channels, stride=2 if is_reduction and edge.source < 2 else 1)
            for edges in plan.nodes
            for edge in edges
        )

    def forward(self, before: torch.Tensor, last: torch.Tensor, rate: torch.Tensor | None) -> torch.Tensor:
        nodes = [self.project_before(before), self.project_last(last)]
        operations = iter(self.operations)
        for sources in self.sources:
            first, second = (
                _path(operation, nodes[source], rate)
                for operation, source in zip((next(operations), next(operations)), sources, strict=True)
            )
            nodes.append(first + second)
        return torch.cat(nodes[2:], dim=1)


def _path(operation: nn.Module, images: torch.Tensor, rate: torch.Tensor | None) -> torch.Tensor:
    """One edge; paths without any operation are never dropped."""
    outputs: torch.Tensor = operation(images)
    return outputs if rate is None or isinstance(operation, nn.Identity) else drop_paths(outputs, rate)


def _path_dropout(settings: DartsSettings) -> PathDropout | None:
    if settings.path_dropout == 0.0:
        return None
    return PathDropout(max_rate=settings.path_dropout, growth=settings.path_dropout_growth)


def _auxiliary_tower(channels: int, problem: Problem, *, size: int) -> nn.Sequential:
    """A second classifier in the middle of the network, as in DARTS for CIFAR: its images have 8x8 pixels there.

    Smaller ones are pooled by smaller windows, so that 2x2 pixels are left as well.
    """
    window = min(5, max(1, size - 3))
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(window, stride=min(3, max(1, size - window))),
        nn.Conv2d(channels, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        nn.BatchNorm2d(768),
        nn.ReLU(),
        GlobalAverage(),
        nn.Linear(768, problem.num_classes),
    )
