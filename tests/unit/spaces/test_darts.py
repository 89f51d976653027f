from __future__ import annotations

import random
from collections import Counter
from typing import Any, cast

import pytest
import torch
from optuna.trial import FixedTrial
from space_helpers import CIFAR10, DIGITS, RandomTrial, draw, space
from torch import nn

from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.darts_genotype import CellPlan, Edge, Genotype, Operation, draw_genotype, pairs_of
from hpc_nas.spaces.darts_network import DartsNetwork, DartsSettings
from hpc_nas.spaces.darts_operations import HalvedProjection, make_operation
from hpc_nas.spaces.description import describe_module
from hpc_nas.spaces.regularization import Cutout, plan_training


def cell(*edges: tuple[str, int]) -> CellPlan:
    parts = [Edge(Operation(name), source) for name, source in edges]
    return CellPlan(tuple(zip(parts[::2], parts[1::2], strict=True)))


DARTS_V2 = Genotype(
    normal=cell(
        *[("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1)],
        *[("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)],
    ),
    reduction=cell(
        *[("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1)],
        *[("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)],
    ),
)
"""The second-order result of DARTS."""


def network(problem: Problem = DIGITS, **settings: Any) -> DartsNetwork:
    torch.manual_seed(3)
    return DartsNetwork(DARTS_V2, problem, DartsSettings(**{"num_cells": 3, "num_channels": 4, **settings}))


def test_the_published_cells_have_their_published_size() -> None:
    """3.349342 M parameters without the auxiliary tower, by DARTS's code."""
    with torch.device("meta"):
        module = network(CIFAR10, num_cells=20, num_channels=36)
    assert describe_module(module, CIFAR10).num_parameters == 3_349_342


def test_a_node_takes_two_different_nodes_before_it() -> None:
    assert [len(pairs_of(node)) for node in (2, 3, 4, 5)] == [1, 3, 6, 10]
    with pytest.raises(ValueError, match="node 2 takes two different nodes before it, not 1 and 1"):
        cell(*[("skip_connect", 1)] * 8)
    with pytest.raises(ValueError, match="node 2 takes two different nodes before it, not 0 and 2"):
        cell(*[("skip_connect", 0), ("skip_connect", 2)] * 4)
    with pytest.raises(ValueError, match="a cell has 4 nodes, not 1"):
        cell(("skip_connect", 0), ("skip_connect", 1))


def test_draws_choose_pairs_and_operations_equally() -> None:
    generator = random.Random(1)
    pairs: Counter[tuple[int, int]] = Counter()
    operations: Counter[Operation] = Counter()
    for _ in range(500):
        genotype = draw_genotype(cast(Any, RandomTrial(generator)))
        for plan in (genotype.normal, genotype.reduction):
            first, second = plan.nodes[3]
            pairs[first.source, second.source] += 1
            operations.update(edge.operation for edges in plan.nodes for edge in edges)
    assert set(operations) == set(Operation)
    assert list(operations.values()) == [pytest.approx(8000 / 7, rel=0.15)] * 7
    assert list(pairs.values()) == [pytest.approx(1000 / 10, rel=0.3)] * 10


def test_parameters_are_the_inputs_and_operations_of_each_node() -> None:
    drawn, _ = draw(space("darts"), CIFAR10, seed=1)
    inputs = [f"{name}_node{node}_inputs" for name in ("normal", "reduction") for node in (3, 4, 5)]
    operations = [
        f"{name}_node{node}_{which}"
        for name in ("normal", "reduction")
        for node in (2, 3, 4, 5)
        for which in ("first", "second")
    ]
    assert set(drawn) == {*inputs, *operations}
    genotype = draw_genotype(FixedTrial(drawn))
    assert drawn["normal_node5_inputs"] == ",".join(str(edge.source) for edge in genotype.normal.nodes[3])


def test_recipe_and_size_are_those_of_cao_s_search() -> None:
    drawn, _ = draw(space("darts"), CIFAR10, seed=1)
    built = space("darts").rebuild(drawn, CIFAR10)
    assert built.recipe == Recipe(
        optimizer="sgd",
        learning_rate=0.025,
        momentum=0.9,
        weight_decay=3e-4,
        max_gradient_norm=5.0,
        schedule="linear",
        batch_size=96,
        augmentation="shift_flip",
    )
    assert isinstance(built.module, DartsNetwork)
    assert len(built.module.cells) == 12
    assert isinstance(built.module.cutout, Cutout)
    assert built.module.cutout.length == 16


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_operations_keep_or_halve_their_images(operation: Operation, size: int, stride: int) -> None:
    layer = make_operation(operation, 3, stride=stride)
    assert layer(torch.zeros(2, 3, size, size)).shape == (2, 3, *(-(-size // stride),) * 2)


def test_a_halved_projection_sees_even_and_odd_pixels() -> None:
    layer = HalvedProjection(1, 2)
    for convolution in (layer.even, layer.odd):
        nn.init.ones_(convolution.weight)
    layer.normalization = nn.BatchNorm2d(2, eps=0.0).eval()
    halved = layer(torch.arange(9.0).reshape(1, 1, 3, 3))
    assert halved[0].tolist() == [[[0.0, 2.0], [6.0, 8.0]], [[4.0, 0.0], [0.0, 0.0]]]


def test_regularization_acts_while_training_only() -> None:
    module = network(cutout_length=4, path_dropout=0.5, auxiliary_weight=0.4)
    images = torch.rand(6, 1, 8, 8)
    assert not torch.equal(module(images), module(images))
    module.eval()
    assert torch.equal(module(images), module(images))


@pytest.mark.parametrize("size", [5, 8, 28, 32, 64])
def test_the_auxiliary_tower_learns_at_any_size(size: int) -> None:
    problem = Problem(channels=1, height=size, width=size, num_classes=10)
    module = network(problem, auxiliary_weight=0.4)
    assert module.auxiliary is not None
    logits = module(torch.rand(3, 1, size, size))
    torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2, 3])).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in module.auxiliary.parameters())


def test_the_tower_is_darts_s_where_images_are_theirs() -> None:
    tower = network(CIFAR10, auxiliary_weight=0.4).auxiliary
    assert isinstance(tower, nn.Sequential)
    assert (tower[1].kernel_size, tower[1].stride) == (5, 3)


def test_a_training_goes_on_from_its_state_at_any_batch() -> None:
    def losses(module: nn.Module, count: int) -> list[float]:
        seen = []
        for batch in range(count):
            images = torch.linspace(0, 1 + batch, 4 * 64).reshape(4, 1, 8, 8)
            loss = module(images).square().mean()
            loss.backward()
            seen.append(loss.item())
        return seen

    regularized = {
        "cutout_length": 4,
        "path_dropout": 0.5,
        "auxiliary_weight": 0.4,
    }
    module = network(**regularized)
    plan_training(module, num_batches=4)
    losses(module, 2)
    state, generator = module.state_dict(), torch.get_rng_state()
    other = network(**regularized)
    plan_training(other, num_batches=4)
    other.load_state_dict(state)
    torch.set_rng_state(generator)
    expected = losses(module, 3)
    torch.set_rng_state(generator)
    assert losses(other, 3) == expected
