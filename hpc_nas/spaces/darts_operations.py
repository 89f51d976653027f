"""The operations of DARTS's discrete cells as layers (Liu et al., arXiv 1806.09055)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import pad

from hpc_nas.spaces.darts_genotype import Operation

__all__ = ["HalvedProjection", "make_operation", "projection"]


def make_operation(operation: Operation, channels: int, *, stride: int) -> nn.Module:
    """The layer of an edge: `channels` in and out, stride 1, or 2 on the inputs of a reduction cell."""
    return _OPERATIONS[operation](channels, stride)


def projection(inputs: int, outputs: int) -> nn.Sequential:
    """ReLU, 1x1 convolution, normalization: how a cell brings its inputs to its number of channels."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class HalvedProjection(nn.Module):
    """ReLU, then half of the output channels from the even pixels, half from the odd ones; normalization.

    An odd size is rounded up, as by a convolution of stride 2; zeros stand beyond the edge.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.activation = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.normalization = nn.BatchNorm2d(outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = self.activation(images)
        shifted = pad(images[:, :, 1:, 1:], (0, 1, 0, 1))
        halved: torch.Tensor = self.normalization(torch.cat([self.even(images), self.odd(shifted)], dim=1))
        return halved


def _separable(channels: int, stride: int, *, kernel: int) -> nn.Sequential:
    """Twice: ReLU, depthwise and 1x1 convolution, normalization. The stride is the first one's."""
    return nn.Sequential(
        *_depthwise(channels, stride, kernel=kernel, dilation=1),
        *_depthwise(channels, 1, kernel=kernel, dilation=1),
    )


def _dilated(channels: int, stride: int, *, kernel: int) -> nn.Sequential:
    return nn.Sequential(*_depthwise(channels, stride, kernel=kernel, dilation=2))


def _depthwise(channels: int, stride: int, *, kernel: int, dilation: int) -> tuple[nn.Module, ...]:
    return (
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )


def _skip(channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else HalvedProjection(channels, channels)


_OPERATIONS: dict[Operation, Callable[[int, int], nn.Module]] = {
    Operation.MAX_POOLING: lambda channels, stride: nn.MaxPool2d(3, stride, padding=1),
    Operation.AVERAGE_POOLING: lambda channels, stride: nn.AvgPool2d(
        3, stride, padding=1, count_include_pad=False
    ),
    Operation.SKIP: _skip,
    Operation.SEPARABLE_3X3: lambda channels, stride: _separable(channels, stride, kernel=3),
    Operation.SEPARABLE_5X5: lambda channels, stride: _separable(channels, stride, kernel=5),
    Operation.DILATED_3X3: lambda channels, stride: _dilated(channels, stride, kernel=3),
    Operation.DILATED_5X5: lambda channels, stride: _dilated(channels, stride, kernel=5),
}
