"""The space `lstm`: sizes as the paper's, counts as by hand, states that carry on, texts alone."""

from __future__ import annotations

import pytest
import torch
from optuna.trial import BaseTrial
from space_helpers import DIGITS, draw, space, weights
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem, TextProblem
from hpc_nas.spaces.lstm import LanguageModel
from hpc_nas.spaces.space import Space

TEXT = TextProblem(vocabulary_size=50, sequence_length=6)
PENN_TREEBANK = TextProblem(vocabulary_size=10_000, sequence_length=35)


def model(**changes: int | float) -> LanguageModel:
    settings = {"vocabulary_size": 50, "num_inputs": 7, "num_cells": 11, "num_layers": 2, "dropout": 0.0}
    return LanguageModel(**{**settings, **changes})  # type: ignore[arg-type]


def test_inputs_and_cells_go_from_10_to_1400_in_steps_of_20() -> None:
    drawn = [draw(space("lstm"), PENN_TREEBANK, seed=seed)[0] for seed in range(40)]
    for name in ("num_inputs", "num_cells"):
        sizes = {parameters[name] for parameters in drawn}
        assert sizes <= set(range(10, 1400, 20))
        assert len(sizes) > 20
        assert max(sizes) > 1000
    assert {tuple(parameters) for parameters in drawn} == {("num_inputs", "num_cells")}


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("problem", [TEXT, PENN_TREEBANK], ids=str)
def test_parameters_and_multiply_adds_are_those_counted_by_hand(
    num_layers: int, problem: TextProblem
) -> None:
    drawn, description = draw(space("lstm", num_layers=num_layers, max_size=90), problem, seed=2)
    i, h, words = drawn["num_inputs"], drawn["num_cells"], problem.vocabulary_size
    inputs = [i] + [h] * (num_layers - 1)
    assert i != h
    assert description.macs == sum(4 * h * (size + h) for size in inputs) + h * words
    assert description.num_parameters == (
        words * i + sum(4 * h * (size + h) + 8 * h for size in inputs) + (h + 1) * words
    )
    assert description.num_layers == num_layers + 2


def test_recorded_parameters_rebuild_the_same_network_with_seeded_weights() -> None:
    some_space = space("lstm", max_size=30, num_layers=2)
    drawn, description = draw(some_space, TEXT, seed=4)
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        module = some_space.rebuild(drawn, TEXT).module
        states.append(weights(module))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])
    assert sum(weight.numel() for weight in module.parameters()) == description.num_parameters
    assert some_space.describe(drawn, TEXT) == description


def test_the_recipe_is_the_paper_s() -> None:
    recipe = space("lstm").recipe({"num_inputs": 10, "num_cells": 10}, TEXT)
    assert (recipe.optimizer, recipe.batch_size, recipe.schedule) == ("sgd", 50, "constant")


def test_a_text_in_windows_gives_what_the_whole_text_gives() -> None:
    torch.manual_seed(1)
    module = model().eval()
    tokens = torch.randint(0, 50, (3, 12))
    whole, end = module(tokens)
    first, state = module(tokens[:, :5])
    second, state = module(tokens[:, 5:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-6)
    assert [part.shape for part in state] == [(1, 3, 11)] * 4
    assert all(torch.allclose(left, right, atol=1e-6) for left, right in zip(state, end, strict=True))


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(1)
    module = model(dropout=0.5)
    tokens = torch.randint(0, 50, (3, 6))
    assert not torch.equal(module(tokens)[0], module(tokens)[0])
    module.eval()
    assert torch.equal(module(tokens)[0], module(tokens)[0])


def test_images_are_refused_by_a_space_of_texts_and_texts_by_one_of_images() -> None:
    with pytest.raises(
        SpaceError, match="space 'lstm' is for a text, but the data are 1x8x8 images, 10 classes; choose"
    ):
        draw(space("lstm"), DIGITS, seed=1)
    with pytest.raises(
        SpaceError,
        match="'random-cnn' is for images, but the data are text with a vocabulary of 50, in sequences of 6; choose",
    ):
        draw(space("random-cnn"), TEXT, seed=1)


def test_an_empty_range_of_sizes_is_refused() -> None:
    with pytest.raises(SpaceError, match="min_size = 40 is larger than max_size = 30"):
        draw(space("lstm", min_size=40, max_size=30), TEXT, seed=1)


class Bigram(nn.Module):
    """Foretells from the last token alone; what it returns is up to the test."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 50)
        self.kind = kind

    def forward(self, tokens: torch.Tensor, state: tuple[torch.Tensor, ...]) -> object:
        logits = self.table(tokens)
        return {
            "right": (logits, ()),
            "bare": logits,
            "last": (logits[:, -1], ()),
            "no tuple": (logits, None),
        }[self.kind]


def test_one_s_own_network_needs_no_state() -> None:
    def own(trial: BaseTrial, problem: TextProblem | Problem) -> nn.Module:
        return Bigram("right")

    _, description = draw(Space(name="own", function=own), TEXT, seed=1)
    assert (description.num_parameters, description.macs, description.num_layers) == (2500, 0, 1)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bare", r"tokens and a state give \[2, 3, 50\], not logits and the next state"),
        (
            "last",
            r"2 sequences give \[2, 50\], not \[batch, length, vocabulary_size\] = \[2, 3, 50\]",
        ),
        ("no tuple", "the next state is NoneType, not a tuple of tensors"),
    ],
)
def test_a_network_that_is_no_language_model_is_refused(kind: str, message: str) -> None:
    def own(trial: BaseTrial, problem: TextProblem) -> nn.Module:
        return Bigram(kind)

    with pytest.raises(SpaceError, match=message):
        draw(Space(name="own", function=own), TEXT, seed=1)
