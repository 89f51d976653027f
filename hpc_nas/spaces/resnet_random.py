"""The space `resnet-random`: ResNets of random depth, filter sizes and filter counts (Baker, appendix A).

From the paper: 2 to 18 blocks (a stage), which is a depth of 14 to 110 layers; filter sizes 3, 5, 7; filter counts
2 to 22; each block three convolutional layers, batch normalization and a sum; 140 epochs at a learning rate of 0.1,
which falls to a tenth, Nesterov's momentum of 0.9. When it falls is not said: at a half and at three quarters here.

What it leaves open is an option. Depth: 14 to 110 is 6 n + 2 for n blocks from 2 to 18: two stages of three
convolutions a block, as the text says (`three_by_two`), or three stages of two, as in He et al. (`two_by_three`).
The +2 are the stem and the fully connected layer; 1x1 convolutions that fit a shortcut are not counted. Filter size
and count are drawn once for each stage, or for the network, or for each block.
"""

from __future__ import annotations

from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.cifar_resnet import Residual, convolution
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Augmentation, Recipe
from hpc_nas.spaces.space import Network

__all__ = ["resnet_random"]

FILTER_SIZES = (3, 5, 7)

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Layout = Literal["three_by_two", "two_by_three"]
Unit = Literal["network", "stage", "block"]

_LAYOUTS: dict[Layout, tuple[int, int]] = {"three_by_two": (3, 2), "two_by_three": (2, 3)}
"""(convolutions a block, stages)"""


def resnet_random(
    trial: BaseTrial,
    problem: Problem,
    *,
    min_blocks: Positive = 2,
    max_blocks: Positive = 18,
    min_filters: Positive = 2,
    max_filters: Positive = 22,
    layout: Layout = "three_by_two",
    drawn_for_each: Unit = "stage",
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 0.1,
    batch_size: Positive = 128,
    augmentation: Augmentation = "none",
) -> Network:
    """Draw the number of blocks of all stages, and the size and number of the filters.

    `min_blocks` and `max_blocks` count those of one stage. The first block of every stage but the first halves the
    image. The paper does not say the size of a batch, nor any augmentation.
    """
    for low, high, what in ((min_blocks, max_blocks, "blocks"), (min_filters, max_filters, "filters")):
        if low > high:
            raise SpaceError(f"min_{what} = {low} is larger than max_{what} = {high}")
    block_convolutions, num_stages = _LAYOUTS[layout]
    num_blocks = trial.suggest_int("num_blocks", min_blocks, max_blocks)
    layers: list[nn.Module] = []
    channels = problem.channels
    for stage in range(1, num_stages + 1):
        for index in range(1, num_blocks + 1):
            name = {"network": "", "stage": f"stage{stage}_", "block": f"stage{stage}_block{index}_"}[
                drawn_for_each
            ]
            kernel = trial.suggest_categorical(f"{name}filter_size", FILTER_SIZES)
            filters = trial.suggest_int(f"{name}filters", min_filters, max_filters)
            if not layers:
                layers += [*convolution(channels, filters, kernel=3), nn.ReLU()]
                channels = filters
            stride = 2 if stage > 1 and index == 1 else 1
            layers.append(_block(channels, filters, kernel=kernel, stride=stride, length=block_convolutions))
            channels = filters
    layers += [GlobalAverage(), nn.Linear(channels, problem.num_classes)]
    recipe = Recipe(
        optimizer="nesterov",
        learning_rate=learning_rate,
        momentum=0.9,
        schedule="step",
        batch_size=batch_size,
        augmentation=augmentation,
    )
    return Network(module=nn.Sequential(*layers), recipe=recipe)


def _block(inputs: int, filters: int, *, kernel: int, stride: int, length: int) -> nn.Module:
    layers: list[nn.Module] = [*convolution(inputs, filters, kernel=kernel, stride=stride)]
    for _ in range(length - 1):
        layers += [nn.ReLU(), *convolution(filters, filters, kernel=kernel)]
    return Residual(layers, inputs=inputs, outputs=filters, stride=stride)
