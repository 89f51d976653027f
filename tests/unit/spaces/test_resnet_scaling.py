from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FixedTrial
from space_helpers import CIFAR100, DIGITS, PROBLEMS, draw, space

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.cifar_resnet import RESNETS, ResNetPlan
from hpc_nas.spaces.resnet_scaling import scaled_plan
from hpc_nas.spaces.space import CollapsedShape

ONES = {f"{letter}{stage}": 1.0 for letter in "dw" for stage in (2, 3, 4, 5)}
RESNET18_MACS = 555_468_800


def test_factors_of_one_are_resnet_18() -> None:
    description = space("resnet-scaling").describe(ONES, CIFAR100)
    assert (description.num_parameters, description.macs) == (11_220_132, RESNET18_MACS)
    assert scaled_plan((1.0,) * 4, (1.0,) * 4) == RESNETS["resnet18"]


def test_factors_multiply_blocks_and_channels_of_their_stage() -> None:
    assert scaled_plan((1.0, 1.5, 2.0, 2.5), (1.0, 1.125, 1.5, 0.5)) == ResNetPlan(
        blocks=(2, 3, 4, 5), channels=(64, 144, 384, 256)
    )
    assert scaled_plan((1.0,) * 4, (1.5,) * 4, base_channels=4) == ResNetPlan(
        blocks=(2, 2, 2, 2), channels=(6, 12, 24, 48), stem_channels=4
    )


@pytest.mark.parametrize("factor", [2.0, 4.0])
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_no_network_costs_more_than_the_limit(factor: float, problem: Problem) -> None:
    some_space = space("resnet-scaling", max_macs_factor=factor)
    base = some_space.describe(ONES, problem).macs
    for seed in range(3):
        _, description = draw(some_space, problem, seed=seed)
        assert base <= description.macs <= factor * base


def test_the_limit_is_exact_and_comes_before_any_weight() -> None:
    changed = ONES | {"d2": 2.0}  # two blocks more of 64 channels on 32x32 pixels
    macs = space("resnet-scaling").describe(changed, CIFAR100).macs
    assert macs == RESNET18_MACS + 2 * 2 * 9 * 64 * 64 * 32 * 32
    assert (
        space("resnet-scaling", max_macs_factor=macs / RESNET18_MACS).describe(changed, CIFAR100).macs == macs
    )
    tight = space("resnet-scaling", max_macs_factor=1.27)
    with pytest.raises(
        CollapsedShape, match=f"max_macs_factor: {macs} multiply-adds are more than 705445376"
    ):
        tight.build(FixedTrial(changed), CIFAR100)


def test_ranges_are_options() -> None:
    options = {"min_depth": 0.5, "max_depth": 1.5, "min_width": 0.5, "max_width": 1.25, "width_step": 0.25}
    distributions = space("resnet-scaling", **options).distributions(ONES, DIGITS)
    assert distributions["d3"] == FloatDistribution(0.5, 1.5, step=0.5)
    assert distributions["w5"] == FloatDistribution(0.5, 1.25, step=0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_depth": 3.0}, "min_depth = 3 is larger than max_depth = 2"),
        ({"max_width": 0.5}, "min_width = 1 is larger than max_width = 0.5"),
        ({"width_step": 0.3}, "width_step = 0.3 does not lead from 1 to 2"),
    ],
)
def test_ranges_that_can_not_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        space("resnet-scaling", **options).rebuild(ONES, DIGITS)


def test_recipe() -> None:
    assert space("resnet-scaling").rebuild(ONES, DIGITS).recipe == Recipe(
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="linear",
        batch_size=256,
        augmentation="shift_flip",
    )
