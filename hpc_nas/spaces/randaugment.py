"""The space `randaugment`: N and M of RandAugment for a fixed network (Cubuk et al., arXiv 1909.13719; Cao 4.3.1, A.5).

N is how many random operations each training image goes through, M how strong they are (`training.randaugment` says
how). The networks are VGG-16, ResNet-18 and MobileNetV2; all candidates of a campaign have the same one.

Cao names no ranges. These are the ones that RandAugment's authors call usual in their code (tensorflow/tpu): N from 1
to 3, M up to 30. M is on torchvision's scale, where 30 is AutoAugment's strongest.

Recipe (A.5, which refers to A.3.2): random flips, shifts and Cutout besides; SGD, momentum 0.9, weight decay 5e-4,
falling linearly, batches of 256, 128 epochs, on 8,000 training and 2,000 validation images. It begins at 0.1, for VGG
at 0.01 (A.2). Cutout's size is not said: half of an image's side here, as in DARTS. It comes last and lives inside
the network.
"""

from __future__ import annotations

from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.configuration.training import MAX_MAGNITUDE, MAX_OPERATIONS
from hpc_nas.errors import SpaceError
from hpc_nas.spaces.cifar_networks import NETWORKS
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.regularization import Cutout
from hpc_nas.spaces.space import Network

__all__ = ["randaugment"]

Name = Literal["vgg-16", "resnet-18", "mobilenet-v2"]
Operations = Annotated[int, Field(ge=0, le=MAX_OPERATIONS)]
Magnitude = Annotated[int, Field(ge=0, le=int(MAX_MAGNITUDE))]

_NETWORKS: dict[Name, tuple[str, float]] = {
    "vgg-16": ("vgg16", 0.01),
    "resnet-18": ("resnet18", 0.1),
    "mobilenet-v2": ("mobilenet_v2", 0.1),
}
"""(name among the fixed networks, learning rate at first)"""


def randaugment(
    trial: BaseTrial,
    problem: Problem,
    *,
    network: Name = "resnet-18",
    width_divisor: Annotated[int, Field(ge=1, le=16)] = 1,
    min_operations: Operations = 1,
    max_operations: Operations = 3,
    min_magnitude: Magnitude = 1,
    max_magnitude: Magnitude = 30,
    cutout_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 256,
) -> Network:
    """Draw N, `num_operations`, and M, `magnitude`.

    `width_divisor` divides all numbers of channels, for smaller machines; `cutout_fraction` is the square's share of
    the image's smaller side, 0 for none.
    """
    ranges = ((min_operations, max_operations, "operations"), (min_magnitude, max_magnitude, "magnitude"))
    for low, high, what in ranges:
        if low > high:
            raise SpaceError(f"min_{what} = {low} is larger than max_{what} = {high}")
    num_operations = trial.suggest_int("num_operations", min_operations, max_operations)
    magnitude = trial.suggest_int("magnitude", min_magnitude, max_magnitude)
    name, learning_rate = _NETWORKS[network]
    module = NETWORKS[name](problem, width_divisor=width_divisor)
    cutout_length = round(cutout_fraction * min(problem.height, problem.width))
    if cutout_length > 0:
        module = nn.Sequential(Cutout(cutout_length), *module)
    recipe = Recipe(
        optimizer="sgd",
        learning_rate=learning_rate,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="linear",
        batch_size=batch_size,
        augmentation="randaugment",
        randaugment_operations=num_operations,
        randaugment_magnitude=float(magnitude),
    )
    return Network(module=module, recipe=recipe)
