"""Fixed networks for 32x32 images: VGG-16, ResNet-18, -34 and -50, MobileNetV2 (Cao 4.1 and 4.3.1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from hpc_nas.spaces.cifar_resnet import RESNETS, convolution, resnet
from hpc_nas.spaces.layers import GlobalAverage
from hpc_nas.spaces.problem import Problem

__all__ = ["NETWORKS", "mobilenet_v2", "vgg16"]

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


def vgg16(problem: Problem) -> nn.Sequential:
    """13 convolutions with batch normalization and one fully connected layer, as usual for CIFAR.

    Pooling rounds sizes up, so that images smaller than 32 pixels pass all five of it.
    """
    layers: list[nn.Module] = []
    channels = problem.channels
    for outputs, num_convolutions in VGG16_STAGES:
        for _ in range(num_convolutions):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    layers += [GlobalAverage(), nn.Linear(channels, problem.num_classes)]
    return nn.Sequential(*layers)


def mobilenet_v2(problem: Problem) -> nn.Sequential:
    """Inverted residual blocks at width 1."""
    layers: list[nn.Module] = [*convolution(problem.channels, 32, kernel=3), nn.ReLU6()]
    channels = 32
    for expansion, outputs, num_blocks, stride in MOBILENET_STAGES:
        for index in range(num_blocks):
            block_stride = stride if index == 0 else 1
            layers.append(_InvertedResidual(channels, outputs, expansion=expansion, stride=block_stride))
            channels = outputs
    layers += [*convolution(channels, 1280, kernel=1), nn.ReLU6()]
    layers += [GlobalAverage(), nn.Linear(1280, problem.num_classes)]
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


NETWORKS: dict[str, Callable[[Problem], nn.Sequential]] = {
    "vgg16": vgg16,
    **{name: partial(resnet, plan) for name, plan in RESNETS.items()},
    "mobilenet_v2": mobilenet_v2,
}
"""`function(problem) -> module` by name."""
