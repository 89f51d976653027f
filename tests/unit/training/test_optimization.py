"""Learning rates, momentum and clipping, against figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.training.intervals import Intervals, plan_intervals
from hpc_nas.training.optimization import clip_gradients, make_optimizer, make_schedule

from .training_helpers import Trainer, dense, one_network_space

TEN_EPOCHS = plan_intervals(40, 10, section=TrainingSection(max_epochs=10.0, epochs_per_interval=1.0))
"""Of four batches each."""


def rates(intervals: Intervals = TEN_EPOCHS, **recipe: Any) -> list[float]:
    """The learning rate of each batch of the budget, beginning with 1."""
    layer = nn.Linear(1, 1)
    made = Recipe(learning_rate=1.0, **recipe)
    optimizer = make_optimizer(layer, made)
    schedule = make_schedule(optimizer, made, intervals=intervals)
    seen = []
    for _ in range(intervals.num_batches):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_linear_falls_by_the_same_amount_each_batch_to_zero_at_the_budget() -> None:
    assert rates(schedule="linear") == pytest.approx([1.0 - batch / 40 for batch in range(40)])


def test_step_falls_at_a_half_and_three_quarters_by_its_factor() -> None:
    assert rates(schedule="step") == pytest.approx([1.0] * 20 + [0.1] * 10 + [0.01] * 10)
    assert rates(schedule="step", step_factor=0.5) == pytest.approx([1.0] * 20 + [0.5] * 10 + [0.25] * 10)


@pytest.mark.parametrize(("step_epochs", "batches"), [(5.0, 20), (3.0, 12), (0.5, 2), (0.01, 1), (20.0, 80)])
def test_step_falls_every_so_many_epochs(step_epochs: float, batches: int) -> None:
    """MetaQNN's: to a fifth every 5 epochs."""
    expected = [0.2 ** (batch // batches) for batch in range(40)]
    assert rates(schedule="step", step_factor=0.2, step_epochs=step_epochs) == pytest.approx(expected)


def weights_after(gradients: list[float], **recipe: Any) -> list[float]:
    """A single weight, from 0, after each of these gradients at a learning rate of 1."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    optimizer = make_optimizer(layer, Recipe(learning_rate=1.0, **recipe))
    seen = []
    for gradient in gradients:
        layer.weight.grad = torch.full_like(layer.weight, gradient)
        optimizer.step()
        seen.append(layer.weight.item())
    return seen


def test_nesterov_s_momentum_looks_ahead() -> None:
    """v = 0.5 v + g; plain momentum steps by v, Nesterov's by g + 0.5 v."""
    assert weights_after([1.0, 1.0], optimizer="sgd", momentum=0.5) == [-1.0, -2.5]
    assert weights_after([1.0, 1.0], optimizer="nesterov", momentum=0.5) == [-1.5, -3.25]


def test_nesterov_without_momentum_is_plain_descent() -> None:
    assert weights_after([1.0, 2.0], optimizer="nesterov", momentum=0.0) == [-1.0, -3.0]


@pytest.mark.parametrize(("norm", "expected"), [(0.0, 50.0), (5.0, 5.0), (100.0, 50.0)])
def test_gradients_are_clipped_by_the_norm_over_all_weights(norm: float, expected: float) -> None:
    layers = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    for layer, gradient in zip(layers, (30.0, 40.0), strict=True):
        layer.weight.grad = torch.full((1, 1), gradient)
    clip_gradients(layers, Recipe(max_gradient_norm=norm))
    gradients = [layer.weight.grad.item() for layer in layers]
    assert gradients == pytest.approx([0.6 * expected, 0.8 * expected], rel=1e-6)


def test_a_training_clips_its_gradients(trainer: Trainer) -> None:
    """With next to no gradient a network stays what it was."""
    losses = {}
    for norm in (0.0, 1e-9):
        trainer(one_network_space(dense, max_gradient_norm=norm), epochs_per_interval=1.0)
        losses[norm] = [row.val_loss for row in trainer.observations]
    assert losses[1e-9][1] == pytest.approx(losses[1e-9][0], rel=1e-6)
    assert losses[0.0][1] < 0.99 * losses[0.0][0]


class Planner(nn.Module):
    """A layer that wants to know its budget."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, bool]] = []
        self.batches = 0

    def plan_training(self, *, num_batches: int) -> None:
        self.seen.append((num_batches, self.batches == 0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.batches += 1
        return images


def test_a_layer_is_told_the_full_budget_before_the_first_batch(trainer: Trainer) -> None:
    planner = Planner()
    trainer(one_network_space(lambda: nn.Sequential(dense(), nn.Sequential(planner))), max_epochs=1.5)
    assert planner.seen == [(12, True)]  # 8 batches of 10 in an epoch
