"""The space `metaqnn`: sequences of layers by MetaQNN's transition rules (Baker, appendix A and Table 1).

The rules themselves stand in `metaqnn_rules`; here an Optuna trial walks along them, each step an equal choice of
all allowed layers (what MetaQNN's agent does at epsilon 1), and the walk becomes a network. A draw's parameter
`layer3_after_conv8` names the state's group, of which the choices depend: they are the same in every draw.

Baker gives the state space; how the networks are built and trained is left to the paper of MetaQNN (Baker et al.,
arXiv 1611.02167) and its code: ReLU, Xavier's initialization, dropout behind every second layer with probability
i / 2n for the i-th of n, Adam at 0.001, falling to a fifth every 5 epochs, in batches of 128, 20 epochs.

One thing differs. While a network's first epoch is no better than chance (in their code: an accuracy of 0.15 or less
for ten classes), theirs begins again with 0.4 of the learning rate, down to the fifth rate. Here observations are
recorded, judged and told as they are made, and a curve that begins anew would take back what rules, strategy and
records have seen. `never_learn` ends such a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.metaqnn_rules import (
    Action,
    Convolution,
    FullyConnected,
    Pooling,
    Rules,
    Termination,
    parse_action,
)
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import Network

__all__ = ["draw_actions", "metaqnn", "metaqnn_module", "metaqnn_rules"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Dropout = Literal["metaqnn", "none"]
Normalization = Literal["none", "batch"]
Initialization = Literal["xavier", "torch"]


def metaqnn(
    trial: BaseTrial,
    problem: Problem,
    *,
    max_layers: Positive = 12,
    max_fully_connected: Annotated[int, Field(ge=0, le=1000)] = 2,
    first: Literal["convolution", "convolution_or_pooling"] = "convolution",
    windows: Literal["smaller", "fitting"] = "smaller",
    width_divisor: Annotated[int, Field(ge=1, le=64)] = 1,
    dropout: Dropout = "metaqnn",
    normalization: Normalization = "none",
    initialization: Initialization = "xavier",
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 0.001,
    batch_size: Positive = 128,
) -> Network:
    """Draw a network of 1 to `max_layers` layers: 12 for SVHN, 18 for CIFAR-10 in the paper.

    `width_divisor` divides all numbers of filters and neurons, for machines smaller than theirs. `normalization`
    is batch normalization behind each convolution, which their code has as an option too. The other options are
    what the sources leave open (see `metaqnn_rules.Rules`), with their code's values.
    """
    rules = metaqnn_rules(
        max_layers=max_layers,
        max_fully_connected=max_fully_connected,
        first=first,
        windows=windows,
        width_divisor=width_divisor,
    )
    actions = draw_actions(trial, rules, size=min(problem.height, problem.width))
    module = metaqnn_module(
        actions, problem, dropout=dropout, normalization=normalization, initialization=initialization
    )
    recipe = Recipe(
        optimizer="adam",
        learning_rate=learning_rate,
        schedule="step",
        step_factor=0.2,
        step_epochs=5.0,
        batch_size=batch_size,
    )
    return Network(module=module, recipe=recipe)


def metaqnn_rules(
    *,
    max_layers: int = 12,
    max_fully_connected: int = 2,
    first: Literal["convolution", "convolution_or_pooling"] = "convolution",
    windows: Literal["smaller", "fitting"] = "smaller",
    width_divisor: int = 1,
) -> Rules:
    """The rules that the space `metaqnn` follows with these options: those of an agent over the same space."""
    table = Rules()
    return Rules(
        max_layers=max_layers,
        max_fully_connected=max_fully_connected,
        first=first,
        windows=windows,
        filters=tuple(filters // width_divisor for filters in table.filters),
        neurons=tuple(neurons // width_divisor for neurons in table.neurons),
    )


def draw_actions(trial: BaseTrial, rules: Rules, *, size: int) -> tuple[Action, ...]:
    """Walk from the start to a termination, for images whose smaller side has `size` pixels.

    A state that allows one action only is not asked about. Raises SpaceError for images too small for any layer.
    """
    position = rules.start(size=size)
    drawn: list[Action] = []
    while not position.state.final:
        actions = rules.actions(position.state)
        if not actions:
            raise SpaceError(f"images of {size} pixels are too small for any first layer; 4 are the least")
        action = actions[0]
        if len(actions) > 1:
            name = f"layer{position.state.depth + 1}_after_{position.state.group}"
            action = parse_action(trial.suggest_categorical(name, [str(choice) for choice in actions]))
        position = rules.step(position, action)
        drawn.append(action)
    return tuple(drawn)


def metaqnn_module(
    actions: Sequence[Action],
    problem: Problem,
    *,
    dropout: Dropout = "metaqnn",
    normalization: Normalization = "none",
    initialization: Initialization = "xavier",
) -> nn.Sequential:
    """The network of a walk that ends with a termination, whose softmax is the loss's."""
    layers = list[nn.Module]()
    channels, height, width = problem.input_shape
    num_hidden = len(actions) - 1
    for index, action in enumerate(actions, start=1):
        match action:
            case Convolution(filters, kernel):
                layers.append(nn.Conv2d(channels, filters, kernel, padding=kernel // 2))
                layers += [nn.BatchNorm2d(filters)] if normalization == "batch" else []
                layers.append(nn.ReLU())
                channels = filters
            case Pooling(kernel, stride):
                layers.append(nn.MaxPool2d(kernel, stride))
                height, width = ((pixels - kernel) // stride + 1 for pixels in (height, width))
            case FullyConnected(neurons):
                layers += [nn.Flatten(), nn.Linear(channels * height * width, neurons), nn.ReLU()]
                channels, height, width = neurons, 1, 1
            case Termination.GLOBAL_AVERAGE:
                layers += [GlobalAverage(), nn.Linear(channels, problem.num_classes)]
            case Termination.SOFTMAX:
                layers += [nn.Flatten(), nn.Linear(channels * height * width, problem.num_classes)]
        if dropout == "metaqnn" and index % 2 == 0 and index <= num_hidden:
            layers.append(nn.Dropout((index // 2) / (2 * (num_hidden // 2))))
    module = nn.Sequential(*layers)
    if initialization == "xavier":
        module.apply(_initialize)
    return module


def _initialize(layer: nn.Module) -> None:
    """Xavier's uniform weights, and zero biases."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
