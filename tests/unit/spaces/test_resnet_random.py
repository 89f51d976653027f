from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from space_helpers import CIFAR100, DIGITS, space
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Recipe

STAGES = {"stage1_filter_size": 3, "stage1_filters": 2, "stage2_filter_size": 7, "stage2_filters": 5}


def layers_of(module: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in module.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize("layout", ["three_by_two", "two_by_three"])
@pytest.mark.parametrize(("num_blocks", "depth"), [(2, 14), (18, 110)])
def test_depths_are_those_of_the_paper(layout: str, num_blocks: int, depth: int) -> None:
    third = {"stage3_filter_size": 3, "stage3_filters": 2} if layout == "two_by_three" else {}
    drawn = {"num_blocks": num_blocks} | STAGES | third
    module = space("resnet-random", layout=layout).rebuild(drawn, CIFAR100).module
    convolutions = [layer for layer in layers_of(module, nn.Conv2d) if layer.kernel_size != (1, 1)]
    assert len(convolutions) + len(layers_of(module, nn.Linear)) == depth


def test_a_stage_has_its_filters() -> None:
    network = space("resnet-random").rebuild({"num_blocks": 2} | STAGES, DIGITS)
    shapes = [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in layers_of(network.module, nn.Conv2d)]
    first, second = [(2, 3, 1)], [(5, 7, 1)]
    assert shapes == first + 6 * first + [(5, 7, 2), *second, *second, (5, 1, 2)] + 3 * second
    assert network.recipe == Recipe(
        optimizer="nesterov", learning_rate=0.1, momentum=0.9, schedule="step", batch_size=128
    )


def test_ranges_are_those_of_the_paper() -> None:
    distributions = space("resnet-random").distributions({"num_blocks": 2} | STAGES, DIGITS)
    assert distributions == {
        "num_blocks": IntDistribution(2, 18),
        "stage1_filter_size": CategoricalDistribution((3, 5, 7)),
        "stage1_filters": IntDistribution(2, 22),
        "stage2_filter_size": CategoricalDistribution((3, 5, 7)),
        "stage2_filters": IntDistribution(2, 22),
    }


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        ("network", {"filter_size", "filters"}),
        (
            "block",
            {
                f"stage{s}_block{b}_{what}"
                for s in (1, 2)
                for b in (1, 2)
                for what in ("filter_size", "filters")
            },
        ),
    ],
)
def test_what_is_drawn_for_each_is_an_option(unit: str, names: set[str]) -> None:
    drawn = {"num_blocks": 2} | dict.fromkeys(names, 3)
    module = space("resnet-random", drawn_for_each=unit).rebuild(drawn, DIGITS).module
    assert {convolution.out_channels for convolution in layers_of(module, nn.Conv2d)} == {3}


def test_ranges_that_can_not_be_are_refused() -> None:
    with pytest.raises(SpaceError, match="min_blocks = 2 is larger than max_blocks = 1"):
        space("resnet-random", max_blocks=1).rebuild({}, DIGITS)
