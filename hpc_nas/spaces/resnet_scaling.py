"""The space `resnet-scaling`: ResNet-18 deeper and wider, under a limit on multiply-adds (Cao 4.3.2 and A.6).

Stage i of 2 to 5 has d_i x 2 basic blocks and w_i x (64, 128, 256, 512) channels. The limit is a multiple of what
ResNet-18 itself costs on the same images: 2 or 4 in the paper, which is 1.12 or 2.24 G multiply-adds for CIFAR-100.
The paper writes FLOPS for them.

The paper names no ranges: they are options, and scale up only, as its text and its networks' sizes suggest. Depth
goes in steps of 0.5, one block. The stem keeps its 64 channels. A draw above the limit collapses, before anything is
built: with the default ranges 97 of 100 random draws at a limit of 2, 31 of 100 at 4.

Recipe (A.3.2): SGD, momentum 0.9, weight decay 5e-4, 0.1 falling linearly, batches of 256, 128 epochs. Random flips
and shifts are not said; they are usual.
"""

from __future__ import annotations

from typing import Annotated

from optuna.trial import BaseTrial
from pydantic import Field

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.cifar_resnet import RESNETS, ResNetPlan, resnet, resnet_macs
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Augmentation, Recipe
from hpc_nas.spaces.space import CollapsedShape, Network

__all__ = ["resnet_scaling", "scaled_plan"]

STAGES = (2, 3, 4, 5)
DEPTH_STEP = 0.5
BASE = RESNETS["resnet18"]

Factor = Annotated[float, Field(gt=0.0, le=16.0)]


def resnet_scaling(
    trial: BaseTrial,
    problem: Problem,
    *,
    max_macs_factor: Annotated[float, Field(gt=0.0, le=1e6)] = 2.0,
    min_depth: Annotated[float, Field(ge=0.5, le=16.0, multiple_of=DEPTH_STEP)] = 1.0,
    max_depth: Annotated[float, Field(ge=0.5, le=16.0, multiple_of=DEPTH_STEP)] = 2.0,
    min_width: Factor = 1.0,
    max_width: Factor = 2.0,
    width_step: Annotated[float, Field(gt=0.0, le=16.0)] = 0.125,
    base_channels: Annotated[int, Field(ge=1, le=1_000_000)] = 64,
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 0.1,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 256,
    augmentation: Augmentation = "shift_flip",
) -> Network:
    """Draw d2 to d5 and w2 to w5. `base_channels` other than 64 scales the ResNet-18 that all is measured by."""
    for low, high, what in ((min_depth, max_depth, "depth"), (min_width, max_width, "width")):
        if low > high:
            raise SpaceError(f"min_{what} = {low:g} is larger than max_{what} = {high:g}")
    if (max_width - min_width) / width_step % 1.0 > 1e-9:
        raise SpaceError(f"width_step = {width_step:g} does not lead from {min_width:g} to {max_width:g}")
    depths = tuple(trial.suggest_float(f"d{i}", min_depth, max_depth, step=DEPTH_STEP) for i in STAGES)
    widths = tuple(trial.suggest_float(f"w{i}", min_width, max_width, step=width_step) for i in STAGES)
    plan = scaled_plan(depths, widths, base_channels=base_channels)
    base = scaled_plan((1.0,) * len(STAGES), (1.0,) * len(STAGES), base_channels=base_channels)
    macs, limit = resnet_macs(plan, problem), max_macs_factor * resnet_macs(base, problem)
    if macs > limit:
        raise CollapsedShape(f"max_macs_factor: {macs} multiply-adds are more than {limit:.0f}")
    recipe = Recipe(
        optimizer="sgd",
        learning_rate=learning_rate,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="linear",
        batch_size=batch_size,
        augmentation=augmentation,
    )
    return Network(module=resnet(plan, problem), recipe=recipe)


def scaled_plan(
    depths: tuple[float, ...], widths: tuple[float, ...], *, base_channels: int = 64
) -> ResNetPlan:
    """ResNet-18 with each stage scaled; blocks and channels are rounded, and at least 1."""
    scale = base_channels / BASE.stem_channels
    return ResNetPlan(
        blocks=tuple(max(1, round(d * blocks)) for d, blocks in zip(depths, BASE.blocks, strict=True)),
        channels=tuple(max(1, round(w * c * scale)) for w, c in zip(widths, BASE.channels, strict=True)),
        stem_channels=base_channels,
    )
