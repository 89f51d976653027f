from __future__ import annotations

import json
import re
from typing import Any

import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from hpc_nas.configuration import SpaceSection
from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import CollapsedShape, Space

PROBLEMS = [
    Problem(channels=1, height=8, width=8, num_classes=10),
    Problem(channels=1, height=28, width=28, num_classes=10),
    Problem(channels=3, height=32, width=32, num_classes=100),
]


def space(**options: Any) -> Space:
    return load_space(SpaceSection(name="random-cnn", **options))


def draw(some_space: Space, problem: Problem, *, seed: int) -> tuple[dict[str, Any], Description, int]:
    """Parameters, description and number of collapsed draws before them."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for collapsed in range(1000):
        trial = study.ask()
        try:
            description = some_space.draw(trial, problem)
        except CollapsedShape:
            continue
        return trial.params, description, collapsed
    raise AssertionError("1000 draws collapsed")


def parameters(**changes: Any) -> dict[str, Any]:
    """One block on an image: 4 filters of 3x3 at stride 1, padded by 1; pooling 2x2 at stride 2, padded by 1."""
    return {
        "learning_rate": 0.1,
        "num_conv_layers": 1,
        "conv1_filters": 4,
        "conv1_kernel": 3,
        "conv1_stride": 1,
        "conv1_padding": 1,
        "pool1_kernel": 2,
        "pool1_stride": 2,
        "pool1_padding": 1,
    } | changes


@given(seed=st.integers(0, 2**32 - 1), problem=st.sampled_from(PROBLEMS))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_recorded_parameters_rebuild_the_same_network(seed: int, problem: Problem) -> None:
    some_space = space()
    drawn, description, _ = draw(some_space, problem, seed=seed)
    recorded = json.loads(json.dumps(drawn))
    assert recorded == drawn
    assert {name: type(value) for name, value in recorded.items()} == {n: type(v) for n, v in drawn.items()}
    with torch.device("meta"):
        first = some_space.build(FixedTrial(drawn), problem)
        second = some_space.rebuild(recorded, problem)
    assert str(second.module) == str(first.module)
    assert second.recipe == first.recipe
    assert some_space.describe(recorded, problem) == description
    shapes = {name: tuple(weight.shape) for name, weight in first.module.named_parameters()}
    assert {name: tuple(weight.shape) for name, weight in second.module.named_parameters()} == shapes


def test_ranges_are_those_of_the_paper() -> None:
    problem = PROBLEMS[2]
    seen: dict[str, set[Any]] = {}
    for seed in range(40):
        drawn, _, _ = draw(space(), problem, seed=seed)
        for name, distribution in space().distributions(drawn, problem).items():
            seen.setdefault(re.sub(r"\d+", "", name), set()).add(distribution)
    assert seen == {
        "learning_rate": {FloatDistribution(1e-6, 1.0 + 1e-6)},
        "num_conv_layers": {IntDistribution(1, 10)},
        "conv_filters": {IntDistribution(1, 400)},
        "conv_kernel": {IntDistribution(1, 5)},
        "conv_stride": {IntDistribution(1, 5)},
        "conv_padding": {IntDistribution(0, 5)},
        "pool_kernel": {IntDistribution(1, 5)},
        "pool_stride": {IntDistribution(1, kernel) for kernel in (1, 2, 3, 4, 5)},
        "pool_padding": {IntDistribution(0, 0), IntDistribution(1, 1), IntDistribution(1, 2)},
    }


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(1, (1, 1), (0, 0)), (2, (1, 2), (1, 1)), (3, (1, 3), (1, 1)), (4, (1, 4), (1, 2)), (5, (1, 5), (1, 2))],
)
def test_pooling_range_follows_its_kernel(
    kernel: int, stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    drawn = parameters(pool1_kernel=kernel, pool1_stride=1, pool1_padding=padding[0])
    distributions = space().distributions(drawn, PROBLEMS[1])
    assert distributions["pool1_stride"] == IntDistribution(*stride)
    assert distributions["pool1_padding"] == IntDistribution(*padding)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_real_network_trains_one_step_and_has_the_described_size(problem: Problem) -> None:
    small = space(max_conv_layers=4, max_filters=24, max_parameters=300_000)
    for seed in range(5):
        drawn, description, _ = draw(small, problem, seed=seed)
        network = small.rebuild(drawn, problem)
        outputs = network.module(torch.zeros(3, *problem.input_shape))
        outputs.sum().backward()
        assert outputs.shape == (3, problem.num_classes)
        assert sum(weight.numel() for weight in network.module.parameters()) == description.num_parameters
        assert description.num_layers == drawn["num_conv_layers"] + 2
        assert all(weight.grad is not None for weight in network.module.parameters())


def test_description_of_a_network_counted_by_hand() -> None:
    # 8x8 -> convolution 4 x 8x8 -> pooling 4 x 5x5 -> 100 -> 128 -> 10
    seen = space().describe(parameters(), PROBLEMS[0])
    assert (seen.num_parameters, seen.num_layers, seen.macs) == (
        4 * (9 + 1) + 101 * 128 + 129 * 10,
        3,
        8 * 8 * 4 * 9 + 100 * 128 + 128 * 10,
    )


def test_what_the_paper_leaves_open_has_stated_defaults() -> None:
    network = space().rebuild(parameters(), PROBLEMS[0])
    assert network.recipe == Recipe(optimizer="sgd", learning_rate=0.1, momentum=0.0, batch_size=64)
    assert [type(layer).__name__ for layer in network.module.children()] == (
        ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"]
    )


def test_what_the_paper_leaves_open_is_an_option() -> None:
    options = {
        "activation": "tanh",
        "pooling": "average",
        "hidden_width": 7,
        "optimizer": "adam",
        "batch_size": 8,
    }
    network = space(**options).rebuild(parameters(), PROBLEMS[0])
    assert network.recipe == Recipe(optimizer="adam", learning_rate=0.1, batch_size=8)
    assert [type(layer).__name__ for layer in network.module.children()] == (
        ["Conv2d", "Tanh", "AvgPool2d", "Flatten", "Linear", "Tanh", "Linear"]
    )
    assert network.module(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_limits_hold() -> None:
    limits = {"max_conv_layers": 2, "max_filters": 3, "max_kernel": 2, "max_stride": 1, "max_padding": 0}
    limits |= {"max_pool_kernel": 3, "max_learning_rate": 0.5}
    some_space = space(**limits)
    for seed in range(10):
        drawn, _, _ = draw(some_space, PROBLEMS[0], seed=seed)
        distributions = some_space.distributions(drawn, PROBLEMS[0])
        assert distributions["num_conv_layers"] == IntDistribution(1, 2)
        assert distributions["conv1_filters"] == IntDistribution(1, 3)
        assert distributions["conv1_kernel"] == IntDistribution(1, 2)
        assert distributions["conv1_stride"] == IntDistribution(1, 1)
        assert distributions["conv1_padding"] == IntDistribution(0, 0)
        assert distributions["pool1_kernel"] == IntDistribution(1, 3)
        assert distributions["learning_rate"] == FloatDistribution(1e-6, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_conv_layers": 2, "conv1_stride": 5, "pool1_padding": 1}
            | {"conv2_filters": 1, "conv2_kernel": 5, "conv2_stride": 1, "conv2_padding": 0}
            | {"pool2_kernel": 1, "pool2_stride": 1, "pool2_padding": 0},
            "conv2: a window of 5 does not fit into 2x2 pixels padded by 0",
        ),
        (
            {"conv1_stride": 5, "conv1_kernel": 5, "conv1_padding": 0, "pool1_kernel": 5, "pool1_padding": 1},
            "pool1: a window of 5 does not fit into 1x1 pixels padded by 1",
        ),
    ],
    ids=["convolution", "pooling"],
)
def test_a_window_larger_than_its_image_collapses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CollapsedShape) as caught:
        space().build(FixedTrial(parameters(**changes)), PROBLEMS[0])
    assert str(caught.value) == message


def test_too_many_weights_collapse_before_they_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a layer was built")

    monkeypatch.setattr(torch.nn.Conv2d, "__init__", refuse)
    monkeypatch.setattr(torch.nn.Linear, "__init__", refuse)
    with pytest.raises(CollapsedShape) as caught:
        space(max_parameters=14_257).build(FixedTrial(parameters()), PROBLEMS[0])
    assert str(caught.value) == "max_parameters: 14258 weights are more than 14257"
