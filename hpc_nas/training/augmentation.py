"""Random changes of a batch of images, on its device: shifts, flips, RandAugment."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.training.normalization import Normalization
from hpc_nas.training.randaugment import randaugment

SHIFT_FRACTION = 1.0 / 8.0
"""Largest shift as a share of the height: 4 of 32 pixels, as is usual for CIFAR."""


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
