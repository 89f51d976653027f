"""Optimizers and learning-rate schedules by the names of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn, optim
from torch.optim import lr_scheduler

from hpc_nas.spaces.recipe import Optimizer, Recipe, Schedule

STEP_FRACTIONS = (0.5, 0.75)
STEP_FACTOR = 0.1

_Parameters = Iterable[nn.Parameter]

_OPTIMIZERS: dict[Optimizer, Callable[[_Parameters, Recipe], optim.Optimizer]] = {
    "sgd": lambda parameters, recipe: optim.SGD(
        parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    ),
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

_SCHEDULES: dict[Schedule, Callable[[optim.Optimizer, int], lr_scheduler.LRScheduler]] = {
    "constant": lambda optimizer, num_batches: lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0),
    "cosine": lambda optimizer, num_batches: lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_batches),
    "step": lambda optimizer, num_batches: lr_scheduler.MultiStepLR(
        optimizer, milestones=[int(num_batches * fraction) for fraction in STEP_FRACTIONS], gamma=STEP_FACTOR
    ),
}


def make_optimizer(module: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimizer over all trainable weights. `momentum` is that of sgd and rmsprop."""
    return _OPTIMIZERS[recipe.optimizer]((p for p in module.parameters() if p.requires_grad), recipe)


def make_schedule(
    optimizer: optim.Optimizer, recipe: Recipe, *, num_batches: int
) -> lr_scheduler.LRScheduler:
    """The recipe's schedule, to be stepped after each of `num_batches` batches (the full budget).

    `cosine` falls to 0 at the full budget, `step` to a tenth at a half and again at three quarters of it.
    """
    return _SCHEDULES[recipe.schedule](optimizer, num_batches)
