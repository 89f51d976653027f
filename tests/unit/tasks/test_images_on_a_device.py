"""Data on the device, and what augmentation makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpc_nas.configuration import DataSection
from hpc_nas.spaces.recipe import Augmentation, Recipe
from hpc_nas.tasks import augmentation
from hpc_nas.tasks.augmentation import Normalization
from hpc_nas.tasks.image_data.dataset import Dataset
from hpc_nas.tasks.images import split

from .task_helpers import CPU, make_dataset


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator(CPU).manual_seed(seed)


def augment(images: torch.Tensor, kind: Augmentation, *, generator: torch.Generator) -> torch.Tensor:
    """Of images whose pixels are 100 times as large and begin at 0."""
    normalization = Normalization(mean=torch.tensor(0.0), deviation=torch.tensor(100.0))
    recipe = Recipe(augmentation=kind)
    return augmentation.augment(images, recipe, normalization=normalization, generator=generator)


def test_images_are_normalised_by_the_training_part() -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, [[[100]], [[256]], [[1]]], (60, 3, 5, 5)).astype(np.uint8)
    labels = np.arange(60) % 2
    dataset = Dataset(
        name="colours",
        train_images=images[:50],
        train_labels=labels[:50],
        test_images=images[50:],
        test_labels=labels[50:],
        num_classes=2,
    )
    splits = split(dataset, DataSection())
    data = splits.to_device(CPU)

    mean = splits.train_images.mean(axis=(0, 2, 3), keepdims=True)
    deviation = splits.train_images.std(axis=(0, 2, 3), keepdims=True)
    deviation[deviation == 0] = 1.0  # the black channel
    expected = (splits.validation_images - mean) / deviation
    np.testing.assert_allclose(data.validation_images.numpy(), expected, atol=1e-5)
    assert data.train_images.dtype == torch.float32
    assert torch.equal(data.normalization.pixels(data.train_images), torch.from_numpy(splits.train_images))
    assert torch.allclose(data.train_images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    np.testing.assert_array_equal(data.train_labels.numpy(), splits.train_labels)
    np.testing.assert_array_equal(data.validation_labels.numpy(), splits.validation_labels)


def test_loading_leaves_the_splits_as_they_are() -> None:
    splits = split(make_dataset(), DataSection())
    before = splits.train_images.copy()
    splits.to_device(CPU)
    np.testing.assert_array_equal(splits.train_images, before)


def test_no_augmentation_changes_nothing() -> None:
    images = torch.rand(4, 3, 8, 8, generator=generator())
    assert augment(images, "none", generator=generator()) is images


def test_a_shift_moves_each_image_and_fills_with_the_mean() -> None:
    images = torch.rand(64, 2, 8, 8, generator=generator()) + 1.0
    shifted = augment(images, "shift", generator=generator(1))
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    seen = set()
    for index in range(64):
        matches = [
            (dy, dx)
            for dy in range(3)
            for dx in range(3)
            if torch.equal(shifted[index], padded[index, :, dy : dy + 8, dx : dx + 8])
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) == 9


def test_a_shift_grows_with_the_image() -> None:
    image = torch.zeros(200, 1, 32, 32)
    image[:, :, 16, 16] = 1.0
    shifted = augment(image, "shift", generator=generator())
    rows = shifted.amax(dim=3).argmax(dim=2).flatten()
    assert (int(rows.min()), int(rows.max())) == (12, 20)


def test_about_half_of_the_images_are_mirrored() -> None:
    image = torch.zeros(400, 1, 16, 16)
    image[..., :4] = 1.0
    flipped = augment(image, "shift_flip", generator=generator())[..., 12:].sum(dim=(1, 2, 3)) > 0
    assert 150 < int(flipped.sum()) < 250


@pytest.mark.parametrize("kind", ["shift", "shift_flip", "randaugment"])
def test_augmentation_is_drawn_from_its_generator(kind: Augmentation) -> None:
    images = torch.rand(16, 1, 8, 8, generator=generator())
    first = augment(images, kind, generator=generator(3))
    torch.rand(5)
    assert torch.equal(first, augment(images, kind, generator=generator(3)))
    assert not torch.equal(first, augment(images, kind, generator=generator(4)))
