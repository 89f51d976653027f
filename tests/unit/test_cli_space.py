"""`hpc-nas space`: what it shows, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.search import SearchContext, make_strategy
from hpc_nas.spaces import Problem
from hpc_nas.spaces.registry import SPACES, load_space
from tests.unit.cli_harness import invoke, move_apart, refusal

OWN = """
from torch import nn

def my_space(trial, problem, *, max_width: int = 8):
    width = trial.suggest_int("width", 1, max_width)
    size = problem.channels * problem.height * problem.width
    return nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Linear(width, problem.num_classes))
"""


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_apart(tmp_path, monkeypatch)


def test_networks_are_a_random_campaign_s_first_candidates() -> None:
    done = invoke(
        *("space", "metaqnn", "--sample", 3, "--shape", "1x8x8", "--classes", 4, "--seed", 7),
        *("--set", "max_layers=3", "--set", "dropout=none", "--json"),
    )
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    problem = Problem(channels=1, height=8, width=8, num_classes=4)
    space = load_space(SpaceSection(name="metaqnn", max_layers=3, dropout="none"))
    strategy = make_strategy(
        SearchSection(name="random"),
        context=SearchContext(space=space, problem=problem, seed=7, num_candidates=3),
    )
    assert shown["networks"] == [
        strategy.ask(number).model_dump(exclude={"number", "seed"}) for number in range(3)
    ]
    assert shown["space"] == "metaqnn"
    assert shown["options"] == space.options
    assert shown["problem"] == {"channels": 1, "height": 8, "width": 8, "num_classes": 4}
    assert shown["recipe"]["optimizer"] == "adam"


def test_a_space_of_ones_own_is_shown_as_a_table() -> None:
    Path("my_file.py").write_text(OWN)
    done = invoke("space", "my_file.py:my_space", "--sample", 2, "--set", "max_width=1", "--shape", "1x2x2")
    assert done.code == 0
    assert "my_file.py:my_space: 1x2x2 images, 10 classes" in done.out
    assert done.out.count("width=1") == 2
    assert "recipe of the first: optimizer = sgd, learning_rate = 0.01" in done.out


def test_a_language_model_is_shown_for_penn_treebank() -> None:
    done = invoke("space", "lstm", "--sample", 2, "--json")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert shown["problem"] == {"vocabulary_size": 10_000, "sequence_length": 35}
    for network in shown["networks"]:
        inputs, cells = network["parameters"]["num_inputs"], network["parameters"]["num_cells"]
        assert network["macs"] == 4 * cells * (inputs + cells) + cells * 10_000


def test_the_list_says_what_each_space_is() -> None:
    done = invoke("space", "--list")
    assert done.code == 0
    assert all(f"│ {name} " in done.out for name in SPACES)
    assert "15,625 cells in a fixed skeleton" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a space: random-cnn, metaqnn, "),
        (("metaqn",), "did you mean 'metaqnn'?"),
        (
            ("metaqnn", "--shape", "3x3"),
            "space 'metaqnn' is for images, but the data are text with a vocabulary of 3",
        ),
        (("lstm", "--shape", "3x3x3"), "space 'lstm' is for a text, but the data are 3x3x3 images"),
        (
            ("lstm", "--shape", "1x35"),
            "--shape '1x35' is not channels x height x width of an image (3x32x32), nor",
        ),
        (("lstm", "--shape", "400"), "nor vocabulary x sequence length of a text (10000x35)"),
        (("metaqnn", "--shape", "1x3x3"), "images of 3 pixels are too small for any first layer"),
        (("metaqnn", "--set", "max_layer=3"), "unknown option 'max_layer'; did you mean 'max_layers'?"),
        (("metaqnn", "--set", "max_layers"), "--set max_layers: not of the form option=value"),
        (
            ("metaqnn", "--set", "max_layers=[1]"),
            "an option of the space is true or false, a number, or a text",
        ),
    ],
)
def test_what_can_not_be_is_refused(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert message in refusal("space", *arguments, tree=tmp_path)


def test_the_command_loads_torch_late() -> None:
    program = "import sys, hpc_nas.cli.space; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
