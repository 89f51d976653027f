"""Layers that several spaces are built of."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["GlobalAverage"]


class GlobalAverage(nn.Module):
    """The mean of each channel: [batch, channels, height, width] to [batch, channels].

    Unlike AdaptiveAvgPool2d it has a deterministic gradient on CUDA.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))
