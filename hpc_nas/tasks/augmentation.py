"""Normalisation of images, and random changes of a batch of them on its device: shifts, flips, RandAugment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.tasks.randaugment import randaugment

SHIFT_FRACTION = 1.0 / 8.0
"""Largest shift as a share of the height: 4 of 32 pixels, as is usual for CIFAR."""


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


def augment(
    images: torch.Tensor, recipe: Recipe, *, normalization: Normalization, generator: torch.Generator
) -> torch.Tensor:
    """A changed copy of normalised `images` [n, c, h, w], drawn from `generator`, which lives on their device."""
    match recipe.augmentation:
        case "none":
            return images
        case "shift":
            return _shift(images, generator)
        case "shift_flip":
            return _shift_flip(images, generator)
        case "randaugment":
            return _shift_flip(_randaugment(images, recipe, normalization, generator), generator)


def _randaugment(
    images: torch.Tensor, recipe: Recipe, normalization: Normalization, generator: torch.Generator
) -> torch.Tensor:
    """Its operations are defined on 8-bit pixels, which the images are brought back to; the mean moves in."""
    pixels = randaugment(
        normalization.pixels(images),
        operations=recipe.randaugment_operations,
        magnitude=recipe.randaugment_magnitude,
        fill=normalization.mean,
        generator=generator,
    )
    return normalization.apply(pixels)


def _shift(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to an eighth of its height in either direction; zeros, the mean, move in."""
    count, channels, height, width = images.shape
    most = max(1, round(height * SHIFT_FRACTION))
    offsets = torch.randint(0, 2 * most + 1, (2, count, 1), generator=generator, device=images.device)
    rows = offsets[0] + torch.arange(height, device=images.device)
    columns = offsets[1] + torch.arange(width, device=images.device)
    sample = torch.arange(count, device=images.device).reshape(-1, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).reshape(1, -1, 1, 1)
    return pad(images, (most,) * 4)[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _shift_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A shift, and half of the images mirrored left to right."""
    shifted = _shift(images, generator)
    mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(mirrored.reshape(-1, 1, 1, 1), shifted.flip(-1), shifted)
