"""ResNets for small images (He et al., arXiv 1512.03385), as usual for CIFAR: a 3x3 stem, no pooling before the stages.

ResNet-18 has stages of 2, 2, 2, 2 basic blocks with 64, 128, 256, 512 channels; all but the first halve the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.problem import Problem

__all__ = ["RESNETS", "BlockKind", "ResNetPlan", "resnet", "resnet_macs"]

BlockKind = Literal["basic", "bottleneck"]
BOTTLENECK_EXPANSION = 4


@dataclass(frozen=True, kw_only=True)
class ResNetPlan:
    """Blocks and channels of each stage; a bottleneck's output has 4 times the channels of its stage."""

    blocks: tuple[int, ...] = (2, 2, 2, 2)
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem_channels: int = 64
    kind: BlockKind = "basic"

    def __post_init__(self) -> None:
        if (
            len(self.blocks) != len(self.channels)
            or min(*self.blocks, *self.channels, self.stem_channels) < 1
        ):
            raise ValueError(f"each stage needs its blocks and channels, from 1: {self}")


RESNETS = {
    "resnet18": ResNetPlan(),
    "resnet34": ResNetPlan(blocks=(3, 4, 6, 3)),
    "resnet50": ResNetPlan(blocks=(3, 4, 6, 3), kind="bottleneck"),
}


def resnet(plan: ResNetPlan, problem: Problem) -> nn.Sequential:
    """The network of a plan; it takes images of any size."""
    layers = list(convolution(problem.channels, plan.stem_channels, kernel=3))
    layers.append(nn.ReLU())
    channels = plan.stem_channels
    for stage, (num_blocks, width) in enumerate(zip(plan.blocks, plan.channels, strict=True)):
        for index in range(num_blocks):
            stride = 2 if stage > 0 and index == 0 else 1
            block = basic_block if plan.kind == "basic" else bottleneck_block
            layers.append(block(channels, width, stride=stride))
            channels = width if plan.kind == "basic" else width * BOTTLENECK_EXPANSION
    layers += [GlobalAverage(), nn.Linear(channels, problem.num_classes)]
    return nn.Sequential(*layers)


def resnet_macs(plan: ResNetPlan, problem: Problem) -> int:
    """Multiply-adds of a ResNet of basic blocks, without building it."""
    if plan.kind != "basic":
        raise ValueError("counted for basic blocks only; describe the network instead")
    height, width = problem.height, problem.width
    channels = plan.stem_channels
    macs = height * width * 9 * problem.channels * channels
    for stage, (num_blocks, outputs) in enumerate(zip(plan.blocks, plan.channels, strict=True)):
        if stage > 0:
            height, width = (height + 1) // 2, (width + 1) // 2
        for index in range(num_blocks):
            projected = channels != outputs or (stage > 0 and index == 0)
            weights = (
                9 * channels * outputs + 9 * outputs * outputs + (channels * outputs if projected else 0)
            )
            macs += height * width * weights
            channels = outputs
    return macs + channels * problem.num_classes


def convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """A convolution that keeps the size (at stride 1) and its normalization."""
    return (
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def basic_block(inputs: int, width: int, *, stride: int) -> nn.Module:
    """Two 3x3 convolutions."""
    layers = (
        *convolution(inputs, width, kernel=3, stride=stride),
        nn.ReLU(),
        *convolution(width, width, kernel=3),
    )
    return Residual(layers, inputs=inputs, outputs=width, stride=stride)


def bottleneck_block(inputs: int, width: int, *, stride: int) -> nn.Module:
    """1x1, 3x3 and 1x1 convolutions; the stride is the 3x3 one's."""
    outputs = width * BOTTLENECK_EXPANSION
    layers = (
        *convolution(inputs, width, kernel=1),
        nn.ReLU(),
        *convolution(width, width, kernel=3, stride=stride),
        nn.ReLU(),
        *convolution(width, outputs, kernel=1),
    )
    return Residual(layers, inputs=inputs, outputs=outputs, stride=stride)


class Residual(nn.Module):
    """ReLU of the sum of some layers and of their input, which a 1x1 convolution brings to their shape."""

    def __init__(self, layers: Sequence[nn.Module], *, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        same = inputs == outputs and stride == 1
        shortcut = () if same else convolution(inputs, outputs, kernel=1, stride=stride)
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.ReLU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.activation(self.layers(images) + self.shortcut(images))
        return outputs
