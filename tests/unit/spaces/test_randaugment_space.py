from __future__ import annotations

from typing import Any

import pytest
import torch
from optuna.distributions import IntDistribution
from space_helpers import CIFAR10, DIGITS, FASHION, space
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.regularization import Cutout

DRAWN = {"num_operations": 2, "magnitude": 7}


def test_what_is_drawn_is_the_augmentation_and_the_rest_cao_s_recipe() -> None:
    assert space("randaugment").rebuild(DRAWN, CIFAR10).recipe == Recipe(
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="linear",
        batch_size=256,
        augmentation="randaugment",
        randaugment_operations=2,
        randaugment_magnitude=7.0,
    )


def weights(problem: Problem, drawn: dict[str, Any], **options: Any) -> list[int]:
    """How many each layer has."""
    with torch.device("meta"):
        module = space("randaugment", **options).rebuild(drawn, problem).module
    return [weight.numel() for weight in module.parameters()]


@pytest.mark.parametrize(
    ("network", "num_parameters", "learning_rate"),
    [("vgg-16", 14_728_266, 0.01), ("resnet-18", 11_173_962, 0.1), ("mobilenet-v2", 2_236_682, 0.1)],
)
def test_the_network_is_the_same_for_every_draw(
    network: str, num_parameters: int, learning_rate: float
) -> None:
    for magnitude in (1, 30):
        drawn = {"num_operations": 1, "magnitude": magnitude}
        assert sum(weights(CIFAR10, drawn, network=network)) == num_parameters
        assert space("randaugment", network=network).recipe(drawn, DIGITS).learning_rate == learning_rate


@pytest.mark.parametrize("network", ["vgg-16", "resnet-18", "mobilenet-v2"])
def test_a_divided_width_is_a_smaller_network_of_as_many_layers(network: str) -> None:
    whole, thin = (weights(FASHION, DRAWN, network=network, width_divisor=divisor) for divisor in (1, 16))
    assert len(thin) == len(whole)
    assert min(thin) > 0
    assert 100 < sum(whole) / sum(thin) < 256


def test_ranges_are_options() -> None:
    assert space("randaugment").distributions(DRAWN, DIGITS) == {
        "num_operations": IntDistribution(1, 3),
        "magnitude": IntDistribution(1, 30),
    }
    options = {"min_operations": 0, "max_operations": 2, "min_magnitude": 7, "max_magnitude": 7}
    assert space("randaugment", **options).distributions(DRAWN, DIGITS) == {
        "num_operations": IntDistribution(0, 2),
        "magnitude": IntDistribution(7, 7),
    }


def test_cutout_is_half_of_the_side_and_can_be_left_out() -> None:
    def first(**options: Any) -> nn.Module:
        module = space("randaugment", width_divisor=16, **options).rebuild(DRAWN, FASHION).module
        assert isinstance(module, nn.Sequential)
        return module[0]

    cutout = first()
    assert isinstance(cutout, Cutout)
    assert cutout.length == 14
    assert isinstance(first(cutout_fraction=0.0), nn.Conv2d)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_operations": 4}, "min_operations = 4 is larger than max_operations = 3"),
        ({"max_magnitude": 0}, "min_magnitude = 1 is larger than max_magnitude = 0"),
    ],
)
def test_ranges_that_can_not_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        space("randaugment", **options).rebuild(DRAWN, DIGITS)
