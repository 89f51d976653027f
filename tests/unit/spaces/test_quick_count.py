"""The quick count of multiply-adds and memory: the same numbers as torch's own counters, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from space_helpers import DIGITS, draw, space
from torch import Tensor, nn
from torch.nn import functional

from hpc_nas.spaces.description import _count, _count_quickly, describe_module
from hpc_nas.spaces.problem import Problem

PROBLEM = Problem(channels=3, height=16, width=12, num_classes=10)
IMAGE_SPACES: dict[str, dict[str, Any]] = {
    "random-cnn": {},
    "metaqnn": {},
    "nas-bench-201": {"cells_per_stage": 1},
    "darts": {"num_cells": 3},
    "resnet-random": {"max_blocks": 3},
    "resnet-scaling": {},
}


class Calls(nn.Module):
    """A convolution, then any function of what it gives, then a classifier."""

    def __init__(self, function: Callable[[Tensor], Tensor], *, channels: int = 8) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1, groups=1)
        self.function = function
        self.classifier = nn.Linear(channels, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.function(self.convolution(images)).mean((2, 3)))
        return logits


def meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make().eval()


@pytest.mark.parametrize("name", IMAGE_SPACES)
@pytest.mark.parametrize("problem", [PROBLEM, DIGITS], ids=str)
def test_networks_of_a_space_are_counted_quickly_and_as_by_torch(name: str, problem: Problem) -> None:
    some_space = space(name, **IMAGE_SPACES[name])
    for seed in (1, 2):
        drawn, described = draw(some_space, problem, seed=seed)
        with torch.device("meta"):
            module = some_space.rebuild(drawn, problem).module.eval()
        assert (
            _count_quickly(module, problem)
            == _count(module, problem)
            == (described.macs, described.footprint)
        )


WEIGHTS = nn.Parameter(torch.empty(8, 8, 1, 1, device="meta"))
KNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "grouped": nn.Conv2d(8, 8, (3, 1), stride=2, groups=4, bias=False, device="meta"),
    "rectified in place": nn.Sequential(nn.BatchNorm2d(8, device="meta").eval(), nn.ReLU(inplace=True)),
    "pooled": nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d(3, 2, 1), nn.Dropout(0.5).eval()),
    "joined": lambda x: torch.cat([x, functional.pad(x, (0, 1))[..., 1:]], dim=1)[:, :8],
    "added": lambda x: torch.add(x, x + torch.relu(x).add(torch.zeros_like(x))),
    "weights made of others": lambda x: functional.conv2d(x, WEIGHTS + WEIGHTS),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_functions_count_as_torch_counts_them(name: str) -> None:
    module = meta(lambda: Calls(KNOWN[name]))
    assert _count_quickly(module, PROBLEM) == _count(module, PROBLEM)


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "matrix product": lambda x: x @ x.transpose(2, 3),
    "transposed convolution": nn.ConvTranspose2d(8, 8, 2, device="meta"),
    "product": lambda x: x * torch.sigmoid(x),
    "batch statistics": nn.BatchNorm2d(8, track_running_stats=False, device="meta"),
    "frozen": nn.Conv2d(8, 8, 1, device="meta").requires_grad_(False),
    "inputs by name": lambda x: functional.conv2d(input=functional.avg_pool2d(x, 2), weight=WEIGHTS),
    "dropout that always drops": lambda x: functional.dropout(x),
    "mirrored border": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "places in a list": lambda x: x[:, [7, 6, 5, 4, 3, 2, 1, 0]],
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_known_is_left_to_torch(name: str) -> None:
    module = meta(lambda: Calls(OTHERS[name]))
    assert _count_quickly(module, PROBLEM) is None
    described = describe_module(module, PROBLEM)
    assert (described.macs, described.footprint) == _count(module, PROBLEM)
    assert described.macs >= 16 * 12 * 8 * 27


@pytest.mark.parametrize("wrong", [nn.BatchNorm2d(7, device="meta"), nn.Conv2d(9, 8, 1, device="meta")])
def test_what_does_not_fit_is_refused(wrong: nn.Module) -> None:
    with pytest.raises(RuntimeError):
        describe_module(meta(lambda: Calls(wrong)), PROBLEM)
