"""Between 8-bit pixels and what networks see: mean 0 and deviation 1 per channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalization:
    """Mean and deviation of each channel, float32 [c, 1, 1], on the images' device."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def apply(self, pixels: torch.Tensor) -> torch.Tensor:
        """Float32 images of pixels [n, c, h, w] from 0 to 255."""
        return pixels.float().sub_(self.mean).div_(self.deviation)

    def pixels(self, images: torch.Tensor) -> torch.Tensor:
        """The pixels uint8 that such images were, exactly; others are rounded and clamped."""
        return images.mul(self.deviation).add_(self.mean).round_().clamp_(0, 255).to(torch.uint8)
