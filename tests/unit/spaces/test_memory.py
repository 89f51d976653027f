"""The estimate of a training's memory, against what torch keeps of a training step on the CPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from space_helpers import CIFAR10, DIGITS, draw, space
from torch import nn

from hpc_nas.spaces.description import describe_module
from hpc_nas.spaces.memory import Footprint
from hpc_nas.spaces.problem import Problem, TextProblem
from hpc_nas.spaces.recipe import Recipe

BATCH = 6
FLOAT = 4


def described(module: nn.Module, problem: Problem = DIGITS) -> Footprint:
    return describe_module(module, problem).footprint


def test_a_perceptron_counted_by_hand() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    # Kept: the image, and what the rectifier gives.
    assert described(module) == Footprint(
        trained_bytes=FLOAT * (65 * 20 + 21 * 10), fixed_bytes=0, sample_bytes=FLOAT * (64 + 20)
    )


def test_frozen_weights_and_buffers_are_kept_once() -> None:
    with torch.device("meta"):
        frozen = nn.Linear(64, 20).requires_grad_(False)
        module = nn.Sequential(nn.Flatten(), frozen, nn.BatchNorm1d(20), nn.Linear(20, 10))
    footprint = described(module)
    assert footprint.trained_bytes == FLOAT * (2 * 20 + 21 * 10)
    # Running mean and variance, and the number of batches, a long integer.
    assert footprint.fixed_bytes == FLOAT * (65 * 20 + 2 * 20) + 8


class Noted(nn.Module):
    """Keeps weak references to what its functions give; they save their outputs for the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.outputs: list[weakref.ref[torch.Tensor]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        given = torch.sigmoid(self.layer(images.flatten(1))).exp()
        self.outputs.append(weakref.ref(given))
        return given


def test_nothing_is_left_of_a_described_network() -> None:
    with torch.device("meta"):
        module = Noted()
    described(module)
    assert module.outputs
    assert all(output() is None for output in module.outputs)


@pytest.mark.parametrize(
    ("recipe", "copies"),
    [
        (Recipe(optimizer="sgd"), 2),
        (Recipe(optimizer="sgd", momentum=0.9), 3),
        (Recipe(optimizer="rmsprop"), 3),
        (Recipe(optimizer="rmsprop", momentum=0.9), 4),
        (Recipe(optimizer="adam"), 4),
        (Recipe(optimizer="adamw", momentum=0.9), 4),
    ],
)
def test_weights_gradients_and_the_optimizers_slots(recipe: Recipe, copies: int) -> None:
    footprint = Footprint(trained_bytes=1000, fixed_bytes=10, sample_bytes=3)
    assert footprint.training_bytes(recipe) == copies * 1000 + 10 + recipe.batch_size * 3


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("random-cnn", {"max_conv_layers": 4}, CIFAR10),
        ("nas-bench-201", {"num_channels": 8, "cells_per_stage": 1}, CIFAR10),
        ("resnet-scaling", {"base_channels": 8}, DIGITS),
    ],
)
def test_estimate_is_near_what_torch_keeps_of_a_training_step(
    name: str, options: dict[str, Any], problem: Problem
) -> None:
    some_space = space(name, **options)
    drawn, description = draw(some_space, problem, seed=1)
    module = some_space.rebuild(drawn, problem).module.train()
    kept = kept_on_the_cpu(module, problem)
    assert 0.8 * kept < BATCH * description.footprint.sample_bytes < 1.25 * kept


def test_the_loss_over_a_vocabulary_is_part_of_it() -> None:
    problem, some_space = TextProblem(vocabulary_size=10_000, sequence_length=35), space("lstm", max_size=90)
    drawn, description = draw(some_space, problem, seed=2)
    module = some_space.rebuild(drawn, problem).module.train()
    tokens = torch.zeros(BATCH, problem.sequence_length, dtype=torch.long)
    kept = kept_by(module, lambda: module(tokens, ())[0].flatten(0, 1), tokens.flatten())
    assert 0.8 * kept < BATCH * description.footprint.sample_bytes < 1.25 * kept


def kept_on_the_cpu(module: nn.Module, problem: Problem) -> int:
    """Bytes that autograd keeps of a forward pass of a batch of images in training."""
    images, labels = torch.randn(BATCH, *problem.input_shape), torch.zeros(BATCH, dtype=torch.long)
    return kept_by(module, lambda: module(images), labels)


def kept_by(module: nn.Module, logits: Callable[[], torch.Tensor], labels: torch.Tensor) -> int:
    """Bytes that autograd keeps of a forward pass and its loss, the module's own left out."""
    storages: dict[int, torch.UntypedStorage] = {}

    def take(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(take, lambda tensor: tensor):
        nn.functional.cross_entropy(logits(), labels).backward()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    return sum(storage.nbytes() for key, storage in storages.items() if key not in own)
