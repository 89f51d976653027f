from __future__ import annotations

import pytest
import torch
from space_helpers import CIFAR10, CIFAR100, PROBLEMS

from hpc_nas.spaces import Problem
from hpc_nas.spaces.cifar_networks import NETWORKS
from hpc_nas.spaces.cifar_resnet import RESNETS, ResNetPlan, resnet, resnet_macs
from hpc_nas.spaces.description import Description, describe_module


def described(name: str, problem: Problem) -> Description:
    with torch.device("meta"):
        return describe_module(NETWORKS[name](problem), problem)


@pytest.mark.parametrize(
    ("name", "millions", "giga_macs"), [("resnet18", 11.22, 0.56), ("resnet34", 21.33, 1.16)]
)
def test_resnets_have_the_sizes_of_cao_s_table_4_4(name: str, millions: float, giga_macs: float) -> None:
    description = described(name, CIFAR100)
    assert round(description.num_parameters / 1e6, 2) == millions
    assert round(description.macs / 1e9, 2) == giga_macs


@pytest.mark.parametrize(
    ("name", "num_parameters", "num_layers"),
    [
        ("vgg16", 14_728_266, 13 + 1),
        ("resnet18", 11_173_962, 17 + 3 + 1),
        ("resnet50", 23_520_842, 49 + 4 + 1),
        ("mobilenet_v2", 2_236_682, 52 + 1),
    ],
)
def test_networks_have_their_usual_sizes_on_cifar_10(name: str, num_parameters: int, num_layers: int) -> None:
    description = described(name, CIFAR10)
    assert (description.num_parameters, description.num_layers) == (num_parameters, num_layers)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_networks_fit_small_images(name: str, problem: Problem) -> None:
    assert described(name, problem).macs > 0


@pytest.mark.parametrize(
    "problem", [*PROBLEMS, Problem(channels=2, height=7, width=5, num_classes=3)], ids=str
)
@pytest.mark.parametrize(
    "plan",
    [
        RESNETS["resnet18"],
        RESNETS["resnet34"],
        ResNetPlan(blocks=(1, 3, 2), channels=(7, 7, 20), stem_channels=5),
    ],
)
def test_multiply_adds_are_counted_without_building(plan: ResNetPlan, problem: Problem) -> None:
    with torch.device("meta"):
        assert resnet_macs(plan, problem) == describe_module(resnet(plan, problem), problem).macs


def test_a_plan_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="each stage needs its blocks and channels"):
        ResNetPlan(blocks=(2, 0), channels=(8, 8))
    with pytest.raises(ValueError, match="each stage needs its blocks and channels"):
        ResNetPlan(blocks=(2, 2))
    with pytest.raises(ValueError, match="counted for basic blocks only"):
        resnet_macs(RESNETS["resnet50"], CIFAR10)
