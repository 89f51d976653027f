"""The space `darts`: the discrete cells of DARTS (Liu et al., arXiv 1806.09055), sampled as in Cao A.4.

As Cao searches: 12 cells, 32 channels, batches of 96, SGD with momentum 0.9 and weight decay 3e-4, 0.025 at first,
falling linearly (Cao A.4; DARTS's own falls with a cosine), cutout, path dropout and auxiliary towers, 128 epochs.
(For the final training: 22 cells, 36 channels, 600 epochs.) Their strengths are not said; these are DARTS's: squares
of 16 pixels (half of an image), a rate that grows to 0.2 over the full budget, the auxiliary loss weighted 0.4,
gradients clipped at a norm of 5 (its code's `train.py`), random flips and shifts.

Cutout, path dropout and the auxiliary tower live inside the network and act while it trains (`regularization`). The
reported training loss has no auxiliary part. Parameters and multiply-adds include the auxiliary tower's weights, but
not its work, which validation does without.
"""

from __future__ import annotations

from typing import Annotated

from optuna.trial import BaseTrial
from pydantic import Field

from hpc_nas.spaces.darts_genotype import draw_genotype
from hpc_nas.spaces.darts_network import DartsNetwork, DartsSettings
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Augmentation, Recipe
from hpc_nas.spaces.regularization import Growth
from hpc_nas.spaces.space import Network

__all__ = ["darts"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


def darts(
    trial: BaseTrial,
    problem: Problem,
    *,
    num_cells: Annotated[int, Field(ge=3, le=1000)] = 12,
    num_channels: Positive = 32,
    cutout_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5,
    path_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2,
    path_dropout_growth: Growth = "linear",
    auxiliary_weight: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.4,
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 0.025,
    batch_size: Positive = 96,
    augmentation: Augmentation = "shift_flip",
) -> Network:
    """Draw the two cells.

    `cutout_fraction` is the square's share of the image's smaller side, `path_dropout` the largest rate, which
    grows from 0 over all batches of the full budget (`linear`, as in DARTS) or holds from the first (`none`).
    0 switches cutout, path dropout and the auxiliary tower off.
    """
    settings = DartsSettings(
        num_cells=num_cells,
        num_channels=num_channels,
        cutout_length=round(cutout_fraction * min(problem.height, problem.width)),
        path_dropout=path_dropout,
        path_dropout_growth=path_dropout_growth,
        auxiliary_weight=auxiliary_weight,
    )
    recipe = Recipe(
        optimizer="sgd",
        learning_rate=learning_rate,
        momentum=0.9,
        weight_decay=3e-4,
        max_gradient_norm=5.0,
        schedule="linear",
        batch_size=batch_size,
        augmentation=augmentation,
    )
    return Network(module=DartsNetwork(draw_genotype(trial), problem, settings), recipe=recipe)
