"""Fixed networks for 32x32 images: VGG-16, ResNet-18, -34 and -50, MobileNetV2 (Cao 4.1 and 4.3.1)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

import torch
from torch import nn

from hpc_nas.spaces.cifar_resnet import RESNETS, ResNetPlan, convolution, resnet
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.problem import Problem

__all__ = ["NETWORKS", "FixedNetwork", "mobilenet_v2", "vgg16"]

VGG16_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""(channels, convolutions) between poolings (Simonyan & Zisserman, arXiv 1409.1556, configuration D)."""

MOBILENET_STAGES = (
    # (expansion, channels, blocks, stride), arXiv 1801.04381, Table 2. For 32x32 images the stem and the second
    # stage keep the size, as is usual for CIFAR.
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class FixedNetwork(Protocol):
    """Builds a network; `width_divisor` divides all its numbers of channels."""

    def __call__(self, problem: Problem, *, width_divisor: int = 1) -> nn.Sequential: ...


def vgg16(problem: Problem, *, width_divisor: int = 1) -> nn.Sequential:
    """13 convolutions with batch normalization and one fully connected layer, as usual for CIFAR.

    Pooling rounds sizes up, so that images smaller than 32 pixels pass all five of it.
    """
    layers: list[nn.Module] = []
    channels = problem.channels
    for full_width, num_convolutions in VGG16_STAGES:
        outputs = full_width // width_divisor
        for _ in range(num_convolutions):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    layers += [GlobalAverage(), nn.Linear(channels, problem.num_classes)]
    return nn.Sequential(*layers)


def mobilenet_v2(problem: Problem, *, width_divisor: int = 1) -> nn.Sequential:
    """Inverted residual blocks; at width 1 without a divisor."""
    channels, last = 32 // width_divisor, 1280 // width_divisor
    layers: list[nn.Module] = [*convolution(problem.channels, channels, kernel=3), nn.ReLU6()]
    for expansion, full_width, num_blocks, stride in MOBILENET_STAGES:
        outputs = full_width // width_divisor
        for index in range(num_blocks):
            block_stride = stride if index == 0 else 1
            layers.append(_InvertedResidual(channels, outputs, expansion=expansion, stride=block_stride))
            channels = outputs
    layers += [*convolution(channels, last, kernel=1), nn.ReLU6()]
    layers += [GlobalAverage(), nn.Linear(last, problem.num_classes)]
    return nn.Sequential(*layers)


class _InvertedResidual(nn.Module):
    """1x1 to the expanded width, depthwise 3x3, 1x1 to the output; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        expand = (*convolution(inputs, width, kernel=1), nn.ReLU6()) if expansion > 1 else ()
        self.layers = nn.Sequential(
            *expand,
            nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
            *convolution(width, outputs, kernel=1),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(images)
        return images + outputs if self.is_residual else outputs


def _resnet(plan: ResNetPlan, problem: Problem, *, width_divisor: int = 1) -> nn.Sequential:
    channels = tuple(full_width // width_divisor for full_width in plan.channels)
    stem_channels = plan.stem_channels // width_divisor
    return resnet(replace(plan, channels=channels, stem_channels=stem_channels), problem)


NETWORKS: dict[str, FixedNetwork] = {
    "vgg16": vgg16,
    **{name: partial(_resnet, plan) for name, plan in RESNETS.items()},
    "mobilenet_v2": mobilenet_v2,
}
"""By name; a divisor up to 16 leaves channels everywhere."""
