"""Optimizers, learning-rate schedules and the clipping of gradients, by the names and numbers of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from torch import nn, optim
from torch.nn.utils import clip_grad_norm_
from torch.optim import lr_scheduler

from hpc_nas.spaces.recipe import Optimizer, Recipe, Schedule
from hpc_nas.training.intervals import Intervals

STEP_FRACTIONS = (0.5, 0.75)

_Parameters = Iterable[nn.Parameter]


def _sgd(parameters: _Parameters, recipe: Recipe, *, nesterov: bool) -> optim.Optimizer:
    return optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=nesterov and recipe.momentum > 0.0,  # without momentum both are the same; torch refuses it
    )


_OPTIMIZERS: dict[Optimizer, Callable[[_Parameters, Recipe], optim.Optimizer]] = {
    "sgd": partial(_sgd, nesterov=False),
    "nesterov": partial(_sgd, nesterov=True),
    "adam": lambda parameters, recipe: optim.Adam(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    ),
    "adamw": lambda parameters, recipe: optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    ),
    "rmsprop": lambda parameters, recipe: optim.RMSprop(
        parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    ),
}


def _step(optimizer: optim.Optimizer, recipe: Recipe, intervals: Intervals) -> lr_scheduler.LRScheduler:
    if recipe.step_epochs == 0.0:
        milestones = [int(intervals.num_batches * fraction) for fraction in STEP_FRACTIONS]
        return lr_scheduler.MultiStepLR(optimizer, milestones=milestones, gamma=recipe.step_factor)
    step_size = max(1, round(recipe.step_epochs * intervals.batches_per_epoch))
    return lr_scheduler.StepLR(optimizer, step_size=step_size, gamma=recipe.step_factor)


_SCHEDULES: dict[Schedule, Callable[[optim.Optimizer, Recipe, Intervals], lr_scheduler.LRScheduler]] = {
    "constant": lambda optimizer, recipe, intervals: lr_scheduler.ConstantLR(
        optimizer, factor=1.0, total_iters=0
    ),
    "linear": lambda optimizer, recipe, intervals: lr_scheduler.LinearLR(
        optimizer, start_factor=1.0, end_factor=0.0, total_iters=intervals.num_batches
    ),
    "cosine": lambda optimizer, recipe, intervals: lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=intervals.num_batches
    ),
    "step": _step,
}


def make_optimizer(module: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimizer over all trainable weights."""
    return _OPTIMIZERS[recipe.optimizer]((p for p in module.parameters() if p.requires_grad), recipe)


def make_schedule(
    optimizer: optim.Optimizer, recipe: Recipe, *, intervals: Intervals
) -> lr_scheduler.LRScheduler:
    """The recipe's schedule, to be stepped after each batch of the full budget, which `intervals` says."""
    return _SCHEDULES[recipe.schedule](optimizer, recipe, intervals)


def clip_gradients(module: nn.Module, recipe: Recipe) -> None:
    """Scale the gradients of all weights down to the recipe's norm, where theirs is larger."""
    if recipe.max_gradient_norm > 0.0:
        clip_grad_norm_(module.parameters(), recipe.max_gradient_norm)
