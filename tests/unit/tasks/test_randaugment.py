"""RandAugment's operations against PIL's, and what is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch.nn.functional import interpolate

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.tasks.augmentation import Normalization, augment
from hpc_nas.tasks.randaugment import Operation, apply_operations, randaugment

HEIGHT, WIDTH = 20, 28
GRAY = torch.tensor([100.0, 150.0, 200.0]).reshape(3, 1, 1)
NORMALIZATION = Normalization(mean=GRAY + 0.3, deviation=GRAY / 3.7)


def photographs(count: int = 4) -> torch.Tensor:
    """Smooth colours, dark and light, but neither black nor white."""
    coarse = torch.randint(0, 256, (count, 3, 5, 5), generator=torch.Generator().manual_seed(3)).float()
    return interpolate(coarse, size=(HEIGHT, WIDTH), mode="bicubic").clamp(20, 230).to(torch.uint8)


def affine(image: Image.Image, *matrix: float) -> Image.Image:
    """PIL's: where the pixel at (x, y) comes from."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


BY_PIL: dict[Operation, Callable[[Image.Image, float], Image.Image]] = {
    Operation.IDENTITY: lambda image, s: image,
    Operation.AUTOCONTRAST: lambda image, s: ImageOps.autocontrast(image),
    Operation.EQUALIZE: lambda image, s: ImageOps.equalize(image),
    Operation.POSTERIZE: lambda image, s: ImageOps.posterize(image, 8 - round(4 * abs(s))),
    Operation.SOLARIZE: lambda image, s: ImageOps.solarize(image, 256 - int(256 * abs(s))),
    Operation.ROTATE: lambda image, s: image.rotate(30 * s),
    Operation.SHEAR_X: lambda image, s: affine(image, 1, 0.3 * s, 0, 0, 1, 0),
    Operation.SHEAR_Y: lambda image, s: affine(image, 1, 0, 0, 0.3 * s, 1, 0),
    Operation.TRANSLATE_X: lambda image, s: affine(image, 1, 0, -int(s * WIDTH * 150 / 331), 0, 1, 0),
    Operation.TRANSLATE_Y: lambda image, s: affine(image, 1, 0, 0, 0, 1, -int(s * HEIGHT * 150 / 331)),
    Operation.COLOR: lambda image, s: ImageEnhance.Color(image).enhance(1 + 0.9 * s),
    Operation.CONTRAST: lambda image, s: ImageEnhance.Contrast(image).enhance(1 + 0.9 * s),
    Operation.BRIGHTNESS: lambda image, s: ImageEnhance.Brightness(image).enhance(1 + 0.9 * s),
    Operation.SHARPNESS: lambda image, s: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * s),
}
ROUNDED = {Operation.AUTOCONTRAST, Operation.COLOR, Operation.CONTRAST, Operation.SHARPNESS}
"""Where the last bit depends on the order of sums, and on how gray is rounded."""


def changed(pixels: torch.Tensor, operation: Operation, strength: float) -> torch.Tensor:
    count = len(pixels)
    return apply_operations(
        pixels,
        torch.full((count,), int(operation)),
        torch.full((count,), strength),
        fill=torch.zeros(pixels.shape[1], 1, 1),
    )


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("magnitude", [0, 5, 10, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_operations_are_pil_s(operation: Operation, magnitude: int, sign: int) -> None:
    strength = sign * magnitude / 30
    ours = changed(photographs(), operation, strength).permute(0, 2, 3, 1).numpy().astype(int)
    for index, pixels in enumerate(photographs().permute(0, 2, 3, 1).numpy()):
        theirs = np.asarray(BY_PIL[operation](Image.fromarray(pixels), strength)).astype(int)
        difference = np.abs(ours[index] - theirs)
        assert difference.max() <= (1 if operation in ROUNDED else 0)
        assert difference.mean() < 0.05


@pytest.mark.parametrize("operation", [each for each in Operation if each not in (1, 2)])
def test_a_magnitude_of_zero_changes_nothing(operation: Operation) -> None:
    assert torch.equal(changed(photographs(), operation, 0.0), photographs())


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_will_do(operation: Operation, channels: int) -> None:
    """Copies of one channel stay copies; what has no colour is gray already."""
    gray = photographs()[:, :1]
    alone = changed(gray, operation, 0.6)
    assert torch.equal(
        changed(gray.expand(-1, channels, -1, -1), operation, 0.6), alone.expand(-1, channels, -1, -1)
    )
    assert torch.equal(alone, gray) == (operation in (Operation.IDENTITY, Operation.COLOR))


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 2)])
def test_tiny_and_flat_images_pass(operation: Operation, shape: tuple[int, int]) -> None:
    flat = torch.full((2, 3, *shape), 90, dtype=torch.uint8)
    assert changed(flat, operation, 0.9).shape == flat.shape
    if operation in (Operation.AUTOCONTRAST, Operation.EQUALIZE, Operation.SHARPNESS, Operation.CONTRAST):
        assert torch.equal(changed(flat, operation, 0.9), flat)


def drawn(pixels: torch.Tensor, *, operations: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return randaugment(pixels, operations=operations, magnitude=12.0, fill=GRAY, generator=generator)


def test_each_image_draws_its_operation_and_direction_from_all() -> None:
    image = photographs(1)
    pairs = list(itertools.product(Operation, (-0.4, 0.4)))
    every = apply_operations(
        image.expand(len(pairs), -1, -1, -1),
        torch.tensor([int(operation) for operation, _ in pairs]),
        torch.tensor([strength for _, strength in pairs]),
        fill=GRAY,
    )
    outcomes, counts = drawn(image.expand(1400, -1, -1, -1), operations=1).unique(dim=0, return_counts=True)
    expected = every.unique(dim=0)
    assert torch.equal(outcomes, expected)
    assert len(expected) == 9 * 2 + 5  # five have no direction
    assert set(range(25, 160)) >= set(counts.tolist())  # 50 with a direction, 100 without


def test_operations_follow_each_other() -> None:
    images = photographs(50)
    generator = torch.Generator().manual_seed(1)
    twice = images
    for _ in range(2):
        twice = randaugment(twice, operations=1, magnitude=12.0, fill=GRAY, generator=generator)
    assert torch.equal(drawn(images, operations=2), twice)
    assert torch.equal(drawn(images, operations=0), images)


def augmented(images: torch.Tensor, **recipe: int | float | str) -> torch.Tensor:
    made = Recipe.model_validate({"augmentation": "randaugment", **recipe})
    return augment(images, made, normalization=NORMALIZATION, generator=torch.Generator().manual_seed(5))


def test_shifts_and_flips_come_after_it_and_normalised_images_come_back_exactly() -> None:
    images = NORMALIZATION.apply(photographs())
    without = augmented(images, randaugment_operations=0)
    assert torch.equal(without, augmented(images, augmentation="shift_flip"))
    assert not torch.equal(without, augmented(images, randaugment_operations=1))


def test_the_mean_moves_in() -> None:
    """Of black images, what a move leaves free is within half a pixel's value of 0."""
    images = NORMALIZATION.apply(torch.zeros(400, 3, 16, 16, dtype=torch.uint8))
    seen = augmented(images, randaugment_magnitude=30.0, randaugment_operations=1)
    moved_in = seen.abs() <= (0.5 / NORMALIZATION.deviation)
    assert 0.05 < moved_in.float().mean() < 0.3
    others = seen[~moved_in].reshape(-1)
    assert others.abs().min() > 1.0
