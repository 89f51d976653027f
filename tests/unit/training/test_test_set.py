"""The test set: what a search never sees, looked at once, with the weights that were saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.configuration.text import TextSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.tasks.base import HeldOut
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.images import ImageData, split
from hpc_nas.tasks.text import TextData, load_text
from hpc_nas.training.failures import NonFiniteLoss
from hpc_nas.training.test_set import evaluate

from .training_helpers import CPU, candidate, one_network_space

DIGITS = DataSection(name="digits")
PROBLEM = Problem(channels=1, height=8, width=8, num_classes=10)


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    """What trainers have on their device."""
    cache_dir = tmp_path_factory.mktemp("cache")
    return split(load_dataset(DIGITS, cache_dir=cache_dir), DIGITS).to_device(CPU)


@pytest.fixture(scope="module")
def held_out(digits: ImageData, tmp_path_factory: pytest.TempPathFactory) -> HeldOut:
    return digits.held_out(DIGITS, cache_dir=tmp_path_factory.mktemp("cache"))


def test_training_data_are_not_copied_to_the_device_once_more(digits: ImageData, held_out: HeldOut) -> None:
    assert isinstance(held_out.data, ImageData)
    assert held_out.data.train_images is digits.train_images


def test_test_part_of_a_text_stands_for_its_validation_part(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a b c d " * 100 + "d c b a " * 25)  # the last fifth is the test set
    section = DataSection(name=str(path), text=TextSection(sequence_length=5))
    text = load_text(section)
    trained_on = text.to_device(CPU)
    held_out = trained_on.held_out(section, cache_dir=tmp_path)
    assert isinstance(held_out.data, TextData)
    assert isinstance(trained_on, TextData)
    assert held_out.data.validation_tokens.tolist() == text.test.tolist() != text.validation.tolist()
    assert held_out.data.train_tokens is trained_on.train_tokens
    assert (held_out.num_samples, held_out.normalization) == (text.num_test, None)


def test_test_images_stand_for_validation_normalised_by_the_training_images(
    held_out: HeldOut, tmp_path: Path
) -> None:
    dataset = load_dataset(DIGITS, cache_dir=tmp_path)
    splits = split(dataset, DIGITS)
    assert isinstance(held_out.data, ImageData)
    assert held_out.data.validation_labels.tolist() == dataset.test_labels.tolist()
    assert (held_out.num_samples, held_out.checksum) == (len(dataset.test_labels), splits.checksum)
    assert held_out.normalization is not None
    mean, deviation = held_out.normalization["mean"][0], held_out.normalization["deviation"][0]
    assert mean == pytest.approx(splits.train_images.mean(), rel=1e-6)
    pixels = held_out.data.validation_images * deviation + mean
    assert torch.equal(pixels.round().to(torch.uint8), torch.from_numpy(dataset.test_images))


def test_search_never_sees_a_test_image(held_out: HeldOut, tmp_path: Path) -> None:
    splits = split(load_dataset(DIGITS, cache_dir=tmp_path), DIGITS)
    dataset = load_dataset(DIGITS, cache_dir=tmp_path)
    num_seen = len(splits.train_labels) + len(splits.validation_labels)
    assert num_seen + held_out.num_samples == len(dataset.train_labels) + len(dataset.test_labels) == 1797
    seen = {image.tobytes() for part in (splits.train_images, splits.validation_images) for image in part}
    assert not any(image.tobytes() in seen for image in dataset.test_images)


def test_accuracy_is_that_of_the_given_weights(held_out: HeldOut) -> None:
    torch.manual_seed(4)
    trained = network()
    means = evaluate(
        candidate(),
        trained.state_dict(),
        space=one_network_space(network),
        held_out=held_out,
        section=TrainingSection(),
        device=CPU,
    )
    assert isinstance(held_out.data, ImageData)
    with torch.no_grad():
        logits = trained(held_out.data.validation_images)
    labels = held_out.data.validation_labels
    assert means.accuracy == pytest.approx(100.0 * (logits.argmax(1) == labels).double().mean().item())
    assert means.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)


def test_weights_that_give_no_number_are_told(held_out: HeldOut) -> None:
    broken = {name: torch.full_like(tensor, torch.nan) for name, tensor in network().state_dict().items()}
    with pytest.raises(NonFiniteLoss):
        evaluate(
            candidate(),
            broken,
            space=one_network_space(network),
            held_out=held_out,
            section=TrainingSection(),
            device=CPU,
        )
