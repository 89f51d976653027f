from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch
from optuna.trial import FixedTrial
from space_helpers import CIFAR10, DIGITS, RandomTrial, space
from torch import nn

from hpc_nas.spaces import Recipe
from hpc_nas.spaces.metaqnn import draw_actions, metaqnn_module, metaqnn_rules
from hpc_nas.spaces.metaqnn_rules import (
    Action,
    Convolution,
    FullyConnected,
    Pooling,
    Position,
    Rules,
    State,
    Termination,
    parse_action,
    size_bin,
)

GAP, SM = Termination.GLOBAL_AVERAGE, Termination.SOFTMAX
TABLE_CONVOLUTIONS = [Convolution(f, k) for f in (64, 128, 256, 512) for k in (1, 3, 5)]
TABLE_POOLINGS = [Pooling(5, 3), Pooling(3, 2), Pooling(2, 2)]
TABLE_DENSE = [FullyConnected(512), FullyConnected(256), FullyConnected(128)]


def broken_rules(actions: tuple[Action, ...], *, size: int, max_layers: int) -> list[str]:
    """What a sequence breaks of Table 1 and its caption, told by the layers alone."""
    *layers, end = actions
    broken = []
    broken += ["number of layers"] if not 1 <= len(layers) <= max_layers else []
    broken += ["termination"] if not isinstance(end, Termination) else []
    broken += ["values"] if not set(layers) <= {*TABLE_CONVOLUTIONS, *TABLE_POOLINGS, *TABLE_DENSE} else []
    broken += ["too many fully connected"] if sum(isinstance(a, FullyConnected) for a in layers) > 2 else []
    broken += ["first layer"] if not isinstance(layers[0], Convolution) else []
    for before, after in itertools.pairwise(actions):
        match before, after:
            case Pooling(), Pooling():
                broken.append("pooling after pooling")
            case FullyConnected(), FullyConnected() if after.neurons > before.neurons:
                broken.append("wider fully connected")
            case FullyConnected(), Convolution() | Pooling() | Termination.GLOBAL_AVERAGE:
                broken.append("fully connected leads on")
            case Convolution() | Pooling(), FullyConnected() if _size_at(layers, after, size) >= 8:
                broken.append("fully connected on a large image")
    for index, layer in enumerate(layers):
        if isinstance(layer, Convolution | Pooling):
            here = _size_before(layers[:index], size)
            broken += ["window"] if layer.kernel > here else []
    return broken


def _size_before(layers: list[Action], size: int) -> int:
    for layer in layers:
        if isinstance(layer, Pooling):
            size = (size - layer.kernel) // layer.stride + 1
    return size


def _size_at(layers: list[Action], layer: Action, size: int) -> int:
    return _size_before(layers[: layers.index(layer)], size)


@pytest.mark.parametrize(
    ("size", "max_layers", "num_draws"), [(32, 18, 10_000), (32, 12, 2_000), (28, 12, 2_000), (8, 12, 2_000)]
)
def test_no_draw_breaks_a_rule(size: int, max_layers: int, num_draws: int) -> None:
    generator, rules = random.Random(size + max_layers), Rules(max_layers=max_layers)
    depths = set()
    for _ in range(num_draws):
        actions = draw_actions(cast(Any, RandomTrial(generator)), rules, size=size)
        assert broken_rules(actions, size=size, max_layers=max_layers) == [], actions
        depths.add(len(actions) - 1)
    assert depths == set(range(1, max_layers + 1))


def walk(*actions: Action, size: int = 32, rules: Rules = Rules()) -> Position:  # noqa: B008
    position = rules.start(size=size)
    for action in actions:
        position = rules.step(position, action)
    return position


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (walk(), TABLE_CONVOLUTIONS),
        (walk(Convolution(64, 3)), [*TABLE_CONVOLUTIONS, *TABLE_POOLINGS, GAP, SM]),
        (walk(Convolution(64, 3), Pooling(2, 2)), [*TABLE_CONVOLUTIONS, GAP, SM]),
        (
            walk(Convolution(64, 3), Pooling(2, 2), size=14),
            [*(c for c in TABLE_CONVOLUTIONS if c.kernel < 4), *TABLE_DENSE, GAP, SM],
        ),
        (
            walk(Convolution(64, 3), size=7),
            [*(c for c in TABLE_CONVOLUTIONS if c.kernel < 4), *TABLE_POOLINGS[1:], *TABLE_DENSE, GAP, SM],
        ),
        (walk(Convolution(64, 1), Pooling(5, 3), size=8), [*TABLE_DENSE, GAP, SM]),
        (walk(Convolution(64, 3), FullyConnected(256), size=7), [*TABLE_DENSE[1:], SM]),
        (walk(Convolution(64, 3), FullyConnected(256), FullyConnected(128), size=7), [SM]),
        (walk(Convolution(64, 3), rules=Rules(max_layers=1)), None),
        (walk(Convolution(64, 3), GAP), []),
    ],
    ids=lambda value: str(value.state) if isinstance(value, Position) else "",
)
def test_actions_of_a_state(position: Position, expected: list[Action] | None) -> None:
    if expected is None:  # at the limit a network can only end
        assert Rules(max_layers=1).actions(position.state) == (GAP, SM)
    else:
        assert Rules().actions(position.state) == tuple(expected)


def test_what_the_table_leaves_open_is_a_field() -> None:
    rules = Rules(first="convolution_or_pooling", windows="fitting")
    assert rules.actions(rules.start(size=8).state) == (*TABLE_CONVOLUTIONS, *TABLE_POOLINGS)
    small = rules.actions(walk(Convolution(64, 1), Pooling(5, 3), size=8).state)
    assert [action for action in small if isinstance(action, Convolution)] == TABLE_CONVOLUTIONS[::3]


def test_a_state_knows_the_bin_alone_and_a_position_the_size() -> None:
    assert [size_bin(size) for size in (1, 3, 4, 7, 8, 224)] == [1, 1, 4, 4, 8, 8]
    pooled = walk(Convolution(64, 3), Pooling(3, 2), size=15)
    assert pooled == Position(state=State(depth=2, layer=Pooling(3, 2), size_bin=4), size=7)
    assert str(pooled.state) == "2:P(3,2)@4x0"
    dense = [walk(Convolution(64, 3), Pooling(5, 3), FullyConnected(128), size=size) for size in (8, 22)]
    assert dense[0] == dense[1]


def test_an_action_that_is_not_allowed_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        ValueError, match=r"P\(2,2\) may not follow 0:start@8x0; allowed: C\(64,1,1\), C\(64,3,1\)"
    ):
        walk(Pooling(2, 2))
    with pytest.raises(ValueError, match=r"GAP may not follow 1:GAP@8x0; allowed: nothing"):
        walk(Convolution(64, 3), GAP, GAP)


@pytest.mark.parametrize("action", [*TABLE_CONVOLUTIONS, *TABLE_POOLINGS, *TABLE_DENSE, GAP, SM], ids=str)
def test_actions_are_read_as_they_are_written(action: Action) -> None:
    assert parse_action(str(action)) == action


@pytest.mark.parametrize("text", ["", "C(64,3)", "C(64,3,2)", "P(2,2) ", "FC()", "SM(10)"])
def test_other_text_is_no_action(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no layer; write C\(64,3,1\), P\(2,2\), FC\(128\), GAP or SM"):
        parse_action(text)


def test_the_layers_of_a_walk() -> None:
    actions = tuple(map(parse_action, ["C(64,3,1)", "P(5,3)", "FC(256)", "FC(128)", "SM"]))
    module = metaqnn_module(actions, DIGITS)
    assert [type(layer).__name__ for layer in module] == [
        *["Conv2d", "ReLU", "MaxPool2d", "Dropout", "Flatten", "Linear", "ReLU"],
        *["Flatten", "Linear", "ReLU", "Dropout", "Flatten", "Linear"],
    ]
    assert [layer.p for layer in module if isinstance(layer, nn.Dropout)] == [1 / 4, 2 / 4]
    assert [layer.in_features for layer in module if isinstance(layer, nn.Linear)] == [64 * 2 * 2, 256, 128]
    assert module(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_ways_to_build_are_options() -> None:
    actions = (Convolution(8, 3), Convolution(8, 1), GAP)
    module = metaqnn_module(actions, DIGITS, dropout="none", normalization="batch", initialization="torch")
    assert [type(layer).__name__ for layer in module] == (
        ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "ReLU", "GlobalAverage", "Linear"]
    )
    torch.manual_seed(1)
    biases = [layer.bias for layer in metaqnn_module(actions, DIGITS) if isinstance(layer, nn.Conv2d)]
    assert all(bias is not None and not bias.any() for bias in biases)


def test_parameters_are_the_layers_by_the_state_they_follow() -> None:
    recorded = {
        "layer1_after_start8": "C(32,3,1)",
        "layer2_after_conv8": "P(2,2)",
        "layer3_after_pool8": "C(64,1,1)",
        "layer4_after_conv8": "SM",
    }
    network = space("metaqnn", width_divisor=2).rebuild(recorded, CIFAR10)
    assert network.recipe == Recipe(
        optimizer="adam",
        learning_rate=0.001,
        schedule="step",
        step_factor=0.2,
        step_epochs=5.0,
        batch_size=128,
    )
    assert draw_actions(FixedTrial(recorded), metaqnn_rules(width_divisor=2), size=32) == (
        Convolution(32, 3),
        Pooling(2, 2),
        Convolution(64, 1),
        SM,
    )


def test_every_choice_of_a_name_is_the_same_in_every_draw() -> None:
    seen: dict[str, set[tuple[str, ...]]] = {}

    class Recording(RandomTrial):
        def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
            seen.setdefault(name, set()).add(tuple(choices))
            return super().suggest_categorical(name, choices)

    generator = random.Random(2)
    for _ in range(3000):
        draw_actions(cast(Any, Recording(generator)), Rules(max_fully_connected=3), size=32)
    assert len(seen) > 50
    assert {len(choices) for choices in seen.values()} == {1}
