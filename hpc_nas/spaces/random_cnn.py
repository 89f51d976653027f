"""The space `random-cnn`: convolutional networks with random layer settings (PEng4NN, section IV-A2).

From the paper: 1 to 10 convolutional layers of up to 400 filters each; kernel, stride and padding in [1, 5],
[1, 5] and [0, 5]; after each one a pooling layer with kernel in [1, 5], stride in [1, kernel] and padding in
[1, kernel/2] (0 at kernel 1, where that range is empty); two fully connected layers at the end; a learning
rate between 1e-6 and 1 + 1e-6. What it leaves open, and all limits, are options.

Deterministic on CUDA: Conv2d, MaxPool2d, AvgPool2d and Linear have deterministic kernels; their adaptive and
three-dimensional relatives have not (torch.use_deterministic_algorithms).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Optimizer, Recipe
from hpc_nas.spaces.space import CollapsedShape, Network

__all__ = ["random_cnn"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Activation = Literal["relu", "elu", "tanh"]
Pooling = Literal["max", "average"]

MIN_LEARNING_RATE = 1e-6
MAX_LEARNING_RATE = 1.0 + 1e-6

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}
_POOLINGS: dict[Pooling, Callable[..., nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def random_cnn(
    trial: BaseTrial,
    problem: Problem,
    *,
    max_conv_layers: Positive = 10,
    max_filters: Positive = 400,
    max_kernel: Positive = 5,
    max_stride: Positive = 5,
    max_padding: Annotated[int, Field(ge=0, le=1000)] = 5,
    max_pool_kernel: Positive = 5,
    max_learning_rate: Annotated[float, Field(gt=MIN_LEARNING_RATE, le=1e4)] = MAX_LEARNING_RATE,
    max_parameters: Annotated[int, Field(ge=1, le=10**12)] = 100_000_000,
    hidden_width: Positive = 128,
    activation: Activation = "relu",
    pooling: Pooling = "max",
    optimizer: Optimizer = "sgd",
    batch_size: Positive = 64,
) -> Network:
    """Draw a network of 1 to `max_conv_layers` blocks (convolution, activation, pooling) and two fully
    connected layers, the first `hidden_width` wide.

    The default limits are the paper's. Ours are `max_parameters`, which guards memory (the paper's
    convolutions alone have up to 36 million weights), the width, ReLU, max pooling, SGD without momentum and
    batches of 64. Raises CollapsedShape before any weight is allocated.
    """
    learning_rate = trial.suggest_float("learning_rate", MIN_LEARNING_RATE, max_learning_rate)
    limits = _Limits(
        filters=max_filters,
        kernel=max_kernel,
        stride=max_stride,
        padding=max_padding,
        pool_kernel=max_pool_kernel,
    )
    shape = _Shape(channels=problem.channels, height=problem.height, width=problem.width)
    blocks: list[_Block] = []
    for index in range(1, trial.suggest_int("num_conv_layers", 1, max_conv_layers) + 1):
        blocks.append(_draw_block(trial, shape, index=index, limits=limits))
        shape = blocks[-1].output
    num_parameters = sum(block.num_parameters for block in blocks)
    num_parameters += (shape.size + 1) * hidden_width + (hidden_width + 1) * problem.num_classes
    if num_parameters > max_parameters:
        raise CollapsedShape(f"max_parameters: {num_parameters} weights are more than {max_parameters}")
    layers = [layer for block in blocks for layer in _assemble(block, activation=activation, pooling=pooling)]
    layers += [nn.Flatten(), nn.Linear(shape.size, hidden_width), _ACTIVATIONS[activation]()]
    layers.append(nn.Linear(hidden_width, problem.num_classes))
    recipe = Recipe(optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size)
    return Network(module=nn.Sequential(*layers), recipe=recipe)


@dataclass(frozen=True, kw_only=True)
class _Limits:
    filters: int
    kernel: int
    stride: int
    padding: int
    pool_kernel: int


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """Shape of one sample between two layers."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        return self.channels * self.height * self.width


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The square that a convolution or a pooling layer moves over an image, in pixels."""

    kernel: int
    stride: int
    padding: int

    def slide(self, shape: _Shape, *, channels: int, name: str) -> _Shape:
        """The shape behind the layer; CollapsedShape where the window does not fit into the padded image."""
        height, width = (
            (size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (shape.height, shape.width)
        )
        if min(height, width) < 1:
            raise CollapsedShape(
                f"{name}: a window of {self.kernel} does not fit into {shape.height}x{shape.width} pixels "
                f"padded by {self.padding}"
            )
        return _Shape(channels=channels, height=height, width=width)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A convolution and the pooling layer behind it."""

    input: _Shape
    convolution: _Window
    pool: _Window
    output: _Shape

    @property
    def num_parameters(self) -> int:
        return self.output.channels * (self.input.channels * self.convolution.kernel**2 + 1)


def _draw_block(trial: BaseTrial, shape: _Shape, *, index: int, limits: _Limits) -> _Block:
    conv, pool = f"conv{index}", f"pool{index}"
    filters = trial.suggest_int(f"{conv}_filters", 1, limits.filters)
    convolution = _Window(
        kernel=trial.suggest_int(f"{conv}_kernel", 1, limits.kernel),
        stride=trial.suggest_int(f"{conv}_stride", 1, limits.stride),
        padding=trial.suggest_int(f"{conv}_padding", 0, limits.padding),
    )
    pool_kernel = trial.suggest_int(f"{pool}_kernel", 1, limits.pool_kernel)
    half = pool_kernel // 2
    pooling = _Window(
        kernel=pool_kernel,
        stride=trial.suggest_int(f"{pool}_stride", 1, pool_kernel),
        padding=trial.suggest_int(f"{pool}_padding", min(1, half), half),
    )
    between = convolution.slide(shape, channels=filters, name=conv)
    output = pooling.slide(between, channels=filters, name=pool)
    return _Block(input=shape, convolution=convolution, pool=pooling, output=output)


def _assemble(block: _Block, *, activation: Activation, pooling: Pooling) -> list[nn.Module]:
    convolution, pool = block.convolution, block.pool
    return [
        nn.Conv2d(
            block.input.channels,
            block.output.channels,
            kernel_size=convolution.kernel,
            stride=convolution.stride,
            padding=convolution.padding,
        ),
        _ACTIVATIONS[activation](),
        _POOLINGS[pooling](kernel_size=pool.kernel, stride=pool.stride, padding=pool.padding),
    ]
