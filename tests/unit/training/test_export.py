"""Networks as files: weights that come back as they were, programs that compute the same, reasons where they can't."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import hpc_nas
from hpc_nas.configuration import DataSection, SpaceSection
from hpc_nas.spaces.architecture import ARCHITECTURE_NAME, Architecture
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.images import split
from hpc_nas.training import export
from hpc_nas.training.export import (
    ONNX_NAME,
    PROGRAM_NAME,
    WEIGHTS_NAME,
    NotExported,
    export_network,
    load_network,
    read_weights,
    weights_file,
)
from hpc_nas.training.module_state import module_state

from .training_helpers import CPU

PARAMETERS = {
    "learning_rate": 0.1,
    "num_conv_layers": 1,
    "conv1_filters": 4,
    "conv1_kernel": 3,
    "conv1_stride": 2,
    "conv1_padding": 1,
    "pool1_kernel": 2,
    "pool1_stride": 1,
    "pool1_padding": 1,
}
PROBLEM = Problem(channels=1, height=8, width=8, num_classes=10)

# torch's own code, while it exports
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """Some that no network was trained on."""
    section = DataSection(name="digits")
    splits = split(load_dataset(section, cache_dir=tmp_path_factory.mktemp("cache")), section)
    return splits.to_device(CPU).validation_images


def architecture() -> Architecture:
    space = load_space(SpaceSection(name="random-cnn"))
    return Architecture(
        problem=PROBLEM,
        hpc_nas_version=hpc_nas.__version__,
        space=space.name,
        options=dict(space.options),
        parameters=PARAMETERS,
        normalization={"mean": [77.0], "deviation": [95.0]},
        recipe=Recipe(),
        num_parameters=1,
        num_layers=2,
        macs=1,
    )


def test_saved_network_comes_back_with_the_same_logits(digits: torch.Tensor, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module = architecture().rebuild().module.eval()
    (tmp_path / WEIGHTS_NAME).write_bytes(weights_file(module_state(module)))
    (tmp_path / ARCHITECTURE_NAME).write_text(architecture().model_dump_json())
    again = load_network(tmp_path)
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again(digits), module(digits))
    plain = torch.load(tmp_path / WEIGHTS_NAME, weights_only=True)
    assert plain.keys() == module.state_dict().keys()


def test_exported_program_gives_the_same_logits_for_any_number_of_digits(digits: torch.Tensor) -> None:
    module = architecture().rebuild().module.eval()
    content = export_network(module, (digits[:2],))[PROGRAM_NAME]
    assert isinstance(content, bytes)
    program = torch.export.load(io.BytesIO(content)).module()
    with torch.no_grad():
        for part in (digits[:1], digits[:2], digits):
            assert torch.allclose(program(part), module(part), atol=1e-6)


class LooksAtItsInput(nn.Module):
    """What no program can be made of."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(images) * (1 if images.sum().item() > 0 else 2)
        return logits


def test_network_that_can_not_be_exported_says_why() -> None:
    exported = export_network(LooksAtItsInput(), (torch.ones(2, 4),))
    made = exported[PROGRAM_NAME]
    assert isinstance(made, NotExported)
    assert exported[ONNX_NAME] == made
    assert re.fullmatch(r"\w+: .+", made.reason)  # the class of the error, and its first line


class Moody(nn.Module):
    """Gives something else each time that it is asked."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.rand(len(images), 2)


def test_program_that_computes_something_else_is_not_kept() -> None:
    made = export_network(Moody(), (torch.ones(2, 4),))[PROGRAM_NAME]
    assert isinstance(made, NotExported)
    assert made.reason.startswith("AssertionError: Tensor-likes are not close!")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (("no_such_onnx",), "package no_such_onnx is not installed"),
        (("no_such_onnx", "torch", "no_such_too"), "packages no_such_onnx, no_such_too are not installed"),
    ],
)
def test_onnx_without_its_packages_is_left_out(
    missing: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ONNX_PACKAGES", missing)
    exported = export_network(nn.Linear(4, 2), (torch.ones(2, 4),))
    assert exported[ONNX_NAME] == NotExported(reason=reason)
    assert isinstance(exported[PROGRAM_NAME], bytes)


def test_weights_keep_the_versions_of_their_modules() -> None:
    module = nn.BatchNorm2d(3)
    again = read_weights(weights_file(module_state(module)))
    assert again._metadata == module.state_dict()._metadata  # type: ignore[attr-defined]
