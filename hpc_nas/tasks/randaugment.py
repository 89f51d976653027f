"""RandAugment (Cubuk et al., arXiv 1909.13719): N random operations on each image of a batch, all of magnitude M.

The 14 operations of the paper's section 3, each as likely, each image its own; the direction of those that have two
is random as well. Strengths rise linearly to AutoAugment's strongest at M = 30, as in torchvision (the paper's text has
it at 10); at 0 only autocontrast and equalize, which have no strength, change anything.

Everything is computed for the whole batch, in 8-bit pixels as PIL does, and each image takes what it drew: no draw is
looked at by the host, so a GPU never waits. What moves in from outside is `fill`.
"""

from __future__ import annotations

import math
from enum import IntEnum

import torch
from torch.nn.functional import avg_pool2d

from hpc_nas.configuration.training import MAX_MAGNITUDE

__all__ = ["Operation", "apply_operations", "randaugment"]

MAX_ROTATION = math.radians(30.0)
MAX_SHEAR = 0.3
MAX_TRANSLATION = 150.0 / 331.0  # of the side: 150 pixels of AutoAugment's images
MAX_ENHANCEMENT = 0.9
MAX_BITS_LOST = 4
LUMA = (0.299, 0.587, 0.114)


class Operation(IntEnum):
    """By the number that is drawn; the enhancements come last."""

    IDENTITY = 0
    AUTOCONTRAST = 1
    EQUALIZE = 2
    POSTERIZE = 3
    SOLARIZE = 4
    ROTATE = 5
    SHEAR_X = 6
    SHEAR_Y = 7
    TRANSLATE_X = 8
    TRANSLATE_Y = 9
    COLOR = 10
    CONTRAST = 11
    BRIGHTNESS = 12
    SHARPNESS = 13


def randaugment(
    pixels: torch.Tensor,
    *,
    operations: int,
    magnitude: float,
    fill: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """A changed copy of `pixels` uint8 [n, c, h, w]; `fill` [c, 1, 1] in pixels; all on the generator's device."""
    for _ in range(operations):
        chosen = torch.randint(0, len(Operation), (len(pixels),), generator=generator, device=pixels.device)
        sign = 2.0 * torch.randint(0, 2, (len(pixels),), generator=generator, device=pixels.device) - 1.0
        pixels = apply_operations(pixels, chosen, sign * (magnitude / MAX_MAGNITUDE), fill=fill)
    return pixels


def apply_operations(
    pixels: torch.Tensor, chosen: torch.Tensor, strength: torch.Tensor, *, fill: torch.Tensor
) -> torch.Tensor:
    """One operation on each of n images: `chosen` int64 [n]; `strength` float32 [n], -1 to 1, its sign a direction."""
    each = chosen.reshape(-1, 1, 1, 1)
    share = strength.reshape(-1, 1, 1, 1)
    changed = _moved(pixels, chosen, strength, fill=fill)
    for operation, result in (
        (Operation.AUTOCONTRAST, _autocontrast(pixels)),
        (Operation.EQUALIZE, _equalized(pixels)),
        (Operation.SOLARIZE, torch.where(pixels >= 256.0 * (1.0 - share.abs()), 255 - pixels, pixels)),
        (Operation.POSTERIZE, _posterized(pixels, share.abs())),
    ):
        changed = torch.where(each == operation, result, changed)
    return _enhanced(pixels, each, share, otherwise=changed)


def _moved(
    pixels: torch.Tensor, chosen: torch.Tensor, strength: torch.Tensor, *, fill: torch.Tensor
) -> torch.Tensor:
    """Rotated, sheared or translated images; the rest as they are. Each pixel is the nearest one of its source."""
    height, width = pixels.shape[2:]

    def of(operation: Operation, values: torch.Tensor) -> torch.Tensor:
        return torch.where(chosen == operation, values, 0.0).reshape(-1, 1, 1)

    angle = of(Operation.ROTATE, strength * MAX_ROTATION)
    shear_x = of(Operation.SHEAR_X, strength * MAX_SHEAR)
    shear_y = of(Operation.SHEAR_Y, strength * MAX_SHEAR)
    shift_x = of(Operation.TRANSLATE_X, torch.trunc(strength * (MAX_TRANSLATION * width)))
    shift_y = of(Operation.TRANSLATE_Y, torch.trunc(strength * (MAX_TRANSLATION * height)))
    # Centres of pixels, so that the floor of a place is the nearest pixel; shears hold the upper left corner.
    y = torch.arange(height, device=pixels.device).reshape(-1, 1) + 0.5
    x = torch.arange(width, device=pixels.device) + 0.5
    across, down = x - width / 2, y - height / 2
    columns = angle.cos() * across - angle.sin() * down + width / 2 + shear_x * y - shift_x
    rows = angle.sin() * across + angle.cos() * down + height / 2 + shear_y * x - shift_y
    columns, rows = columns.floor().long(), rows.floor().long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    source = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    source = source.flatten(1).unsqueeze(1).expand(-1, pixels.shape[1], -1)
    moved = pixels.flatten(2).gather(2, source).view_as(pixels)
    return torch.where(inside.unsqueeze(1), moved, fill.round().to(torch.uint8))


def _autocontrast(pixels: torch.Tensor) -> torch.Tensor:
    """Each channel stretched to 0 to 255, where it has two values at least."""
    least, most = pixels.amin(dim=(2, 3), keepdim=True), pixels.amax(dim=(2, 3), keepdim=True)
    scale = 255.0 / (most - least).clamp(min=1)
    return torch.where(most > least, ((pixels - least) * scale).to(torch.uint8), pixels)


def _equalized(pixels: torch.Tensor) -> torch.Tensor:
    """The histogram of each channel flattened, by PIL's scheme of whole numbers."""
    values = pixels.flatten(2).long()
    histogram = values.new_zeros(*values.shape[:2], 256).scatter_add_(2, values, torch.ones_like(values))
    upto = histogram.cumsum(2)
    at_largest = histogram.gather(2, values.amax(dim=2, keepdim=True))
    step = (values.shape[2] - at_largest) // 255
    table = ((upto - histogram + step // 2) // step.clamp(min=1)).clamp_(max=255)
    equalized = torch.where(step > 0, table.gather(2, values), values)
    return equalized.view_as(pixels).to(torch.uint8)


def _posterized(pixels: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Without the lowest bits, none to four of them."""
    lost = (share * MAX_BITS_LOST).round().to(torch.uint8)
    return pixels & torch.bitwise_left_shift(torch.full_like(lost, 255), lost)


def _enhanced(
    pixels: torch.Tensor, chosen: torch.Tensor, share: torch.Tensor, *, otherwise: torch.Tensor
) -> torch.Tensor:
    """Mixed with, or drawn away from, what has none of a quality: colour, contrast, brightness or sharpness."""
    gray = _gray(pixels)
    without = _smooth(pixels)
    without = torch.where(chosen == Operation.COLOR, gray, without)
    without = torch.where(chosen == Operation.CONTRAST, gray.mean((1, 2, 3), keepdim=True).round(), without)
    without = torch.where(chosen == Operation.BRIGHTNESS, 0.0, without)
    # Exact where both are the same, and at a strength of 0.
    mixed = torch.lerp(without, pixels.float(), 1.0 + MAX_ENHANCEMENT * share).clamp_(0.0, 255.0)
    return torch.where(chosen >= Operation.COLOR, mixed.to(torch.uint8), otherwise)


def _gray(pixels: torch.Tensor) -> torch.Tensor:
    """Float32 [n, 1, h, w], whole: the luma of three channels, the mean of any other number of them."""
    channels = pixels.shape[1]
    weights = LUMA if channels == 3 else (1.0 / channels,) * channels
    parts = (weight * pixels[:, index] for index, weight in enumerate(weights))
    return sum(parts, start=torch.zeros(())).unsqueeze(1).round()


def _smooth(pixels: torch.Tensor) -> torch.Tensor:
    """PIL's filter SMOOTH: a 3x3 mean in which the middle counts five times; the border stays."""
    smooth = pixels.float()
    if min(pixels.shape[2:]) > 2:
        inner = smooth[:, :, 1:-1, 1:-1]
        inner.copy_(((9.0 * avg_pool2d(smooth, 3, 1) + 4.0 * inner) / 13.0).round())
    return smooth
