from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hpc_nas.configuration import SpaceSection
from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem
from hpc_nas.spaces.registry import load_space

PROBLEM = Problem(channels=1, height=4, width=4, num_classes=3)

OWN = """
from torch import nn

def my_space(trial, problem, *, max_width=8, rate: float = 0.5, unused: "Unknown" = None):
    width = trial.suggest_int("width", 1, max_width)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, width), nn.Linear(width, problem.num_classes))

def any_options(trial, problem, **options):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, options["classes"]))

def needs_option(trial, problem, *, width):
    raise NotImplementedError

def not_a_space(trial):
    raise NotImplementedError

def wants_options_only(*, trial, problem):
    raise NotImplementedError
"""


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_file.py"
    path.write_text(OWN)
    return path


def refusal(name: str, **options: Any) -> str:
    with pytest.raises(SpaceError) as caught:
        load_space(SpaceSection(name=name, **options))
    return str(caught.value)


def test_options_are_resolved_with_their_defaults() -> None:
    space = load_space(SpaceSection(name="random-cnn", max_filters=16, max_learning_rate=1))
    assert (space.name, dict(space.options)) == (
        "random-cnn",
        {
            "max_conv_layers": 10,
            "max_filters": 16,
            "max_kernel": 5,
            "max_stride": 5,
            "max_padding": 5,
            "max_pool_kernel": 5,
            "max_learning_rate": 1.0,
            "max_parameters": 100_000_000,
            "hidden_width": 128,
            "activation": "relu",
            "pooling": "max",
            "optimizer": "sgd",
            "batch_size": 64,
        },
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "random-cmm",
            {},
            "[space]: unknown space 'random-cmm' (a function of your own: 'my_file.py:my_space'); "
            "did you mean 'random-cnn'?",
        ),
        (
            "random-cnn",
            {"max_filtres": 3},
            "[space] random-cnn: unknown option 'max_filtres'; did you mean 'max_filters'?",
        ),
        (
            "random-cnn",
            {"max_filters": 0},
            "[space] random-cnn: max_filters = 0 is not allowed: Input should be greater than or equal to 1; "
            "expected a whole number, 1 to 1000000",
        ),
        (
            "random-cnn",
            {"max_filters": "many"},
            "[space] random-cnn: max_filters = 'many' is not allowed: Input should be a valid integer; "
            "expected a whole number, 1 to 1000000",
        ),
        (
            "random-cnn",
            {"activation": "step"},
            "[space] random-cnn: activation = 'step' is not allowed: Input should be 'relu', 'elu' or 'tanh'",
        ),
    ],
)
def test_an_unknown_space_or_option_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    assert refusal(name, **options) == message


def test_a_function_in_a_file_of_ones_own(own_file: Path) -> None:
    space = load_space(SpaceSection(name=f"{own_file}:my_space", max_width=4, rate=1))
    assert dict(space.options) == {"max_width": 4, "rate": 1, "unused": None}
    assert space.name == f"{own_file}:my_space"
    assert space.rebuild({"width": 4}, PROBLEM).module(torch.zeros(5, 1, 4, 4)).shape == (5, 3)


def test_a_relative_file_begins_at_the_working_directory(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_file.parent)
    space = load_space(SpaceSection(name="my_file.py:my_space"))
    assert space.describe({"width": 2}, PROBLEM).num_parameters == 17 * 2 + 3 * 3


def test_a_function_with_open_options_takes_any(own_file: Path) -> None:
    space = load_space(SpaceSection(name=f"{own_file}:any_options", classes=3))
    assert space.describe({}, PROBLEM).num_parameters == 51


def test_options_of_ones_own_function_are_checked(own_file: Path) -> None:
    own = f"{own_file}:my_space"
    assert (
        refusal(own, max_widht=3) == f"[space] {own}: unknown option 'max_widht'; did you mean 'max_width'?"
    )
    assert refusal(own, max_width=0.5) == (
        f"[space] {own}: max_width = 0.5 is not allowed: Input should be a valid integer; "
        "expected a whole number"
    )
    needy = f"{own_file}:needs_option"
    assert refusal(needy) == f"[space] {needy}: option 'width' has no default; give it a value"
    for function in ("not_a_space", "wants_options_only"):
        assert "must be a function of (trial, problem)" in refusal(f"{own_file}:{function}")


def test_a_file_that_can_not_be_loaded_is_named(own_file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"
    assert refusal(f"{missing}:my_space") == f"[space]: {missing}: no such file"
    assert refusal(f"{own_file}:my_spice") == (
        f"[space]: {own_file} has no function 'my_spice'; did you mean 'my_space'?"
    )
    broken = tmp_path / "broken.py"
    broken.write_text("import not_there_at_all")
    assert refusal(f"{broken}:my_space") == (
        f"[space]: {broken}: raised ModuleNotFoundError: No module named 'not_there_at_all'"
    )
