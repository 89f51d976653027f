from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from optuna.distributions import IntDistribution
from optuna.trial import BaseTrial, FixedTrial
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.space import CollapsedShape, Network, Space

PROBLEM = Problem(channels=1, height=4, width=4, num_classes=3)
FITTING = "space 'own' for 1x4x4 images, 3 classes: "


def perceptron(trial: BaseTrial, problem: Problem, *, max_width: int = 8) -> nn.Module:
    width = trial.suggest_int("width", 1, max_width)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, width), nn.Linear(width, problem.num_classes))


def space(function: Callable[..., Any], **options: Any) -> Space:
    return Space(name="own", function=function, options=options)


def test_a_bare_module_gets_the_default_recipe() -> None:
    network = space(perceptron).rebuild({"width": 5}, PROBLEM)
    assert network.recipe == Recipe()
    assert network.module(torch.zeros(2, 1, 4, 4)).shape == (2, 3)


def test_description_counts_trainable_weights_layers_and_one_sample() -> None:
    def frozen_normalized(trial: BaseTrial, problem: Problem) -> Network:
        fixed = nn.Linear(16, 4).requires_grad_(False)
        return Network(module=nn.Sequential(nn.Flatten(), fixed, nn.BatchNorm1d(4), nn.Linear(4, 3)))

    seen = space(frozen_normalized).describe({}, PROBLEM)
    assert (seen.num_parameters, seen.num_layers, seen.macs) == (2 * 4 + 15, 3 - 1, 16 * 4 + 4 * 3)


def test_describing_leaves_random_numbers_and_default_device_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    space(perceptron).describe({"width": 5}, PROBLEM)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_default_device() == torch.device("cpu")


def test_same_generator_seed_gives_the_same_weights() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(space(perceptron).rebuild({"width": 5}, PROBLEM).module.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_options_reach_the_function() -> None:
    distributions = space(perceptron, max_width=3).distributions({"width": 2}, PROBLEM)
    assert distributions == {"width": IntDistribution(1, 3)}


def raises(trial: BaseTrial, problem: Problem) -> nn.Module:
    trial.suggest_int("width", 1, 8)
    raise RuntimeError("no luck")


def returns_text(trial: BaseTrial, problem: Problem) -> str:
    trial.suggest_int("width", 1, 8)
    return "a network"


def too_many_classes(trial: BaseTrial, problem: Problem) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, trial.suggest_int("width", 1, 8)))


def without_batch(trial: BaseTrial, problem: Problem) -> nn.Module:
    return nn.Sequential(nn.Flatten(0), nn.Linear(32, 3 + 0 * trial.suggest_int("width", 1, 8)))


def other_input(trial: BaseTrial, problem: Problem) -> nn.Module:
    return nn.Conv2d(3, trial.suggest_int("width", 1, 8), 1)


def lazy(trial: BaseTrial, problem: Problem) -> nn.Module:
    trial.suggest_int("width", 1, 8)
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))


def no_scalar(trial: BaseTrial, problem: Problem) -> nn.Module:
    trial.suggest_categorical("width", [None])
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, "raised RuntimeError: no luck; parameters drawn: width=5"),
        (returns_text, "returned str, not a torch module or a Network; parameters drawn: width=5"),
        (
            too_many_classes,
            "yields a network that does not fit: ValueError: 2 samples give [2, 5], "
            "not [batch, num_classes] = [2, 3]; parameters drawn: width=5",
        ),
        (
            without_batch,
            "yields a network that does not fit: ValueError: 2 samples give [3], "
            "not [batch, num_classes] = [2, 3]; parameters drawn: width=5",
        ),
        (
            lazy,
            "yields a network that does not fit: ValueError: the network has lazy layers, whose weights do not "
            "exist yet; give input sizes; parameters drawn: width=5",
        ),
    ],
)
def test_a_function_that_yields_no_fitting_network_is_named_with_its_draw(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        space(function).draw(FixedTrial({"width": 5}), PROBLEM)
    assert str(caught.value) == FITTING + message


def test_what_the_forward_pass_raises_is_said() -> None:
    with pytest.raises(SpaceError, match=r"does not fit: RuntimeError: .*; parameters drawn: width=5"):
        space(other_input).draw(FixedTrial({"width": 5}), PROBLEM)


def test_a_parameter_that_json_does_not_carry_is_refused() -> None:
    with pytest.raises(
        SpaceError, match=r"parameter 'width' is None \(NoneType\), which JSON does not carry"
    ):
        space(no_scalar).draw(FixedTrial({"width": None}), PROBLEM)


def test_collapse_is_passed_on_when_drawing_and_an_error_when_rebuilding() -> None:
    def collapses(trial: BaseTrial, problem: Problem) -> nn.Module:
        raise CollapsedShape("conv1: too small")

    with pytest.raises(CollapsedShape, match="conv1: too small"):
        space(collapses).draw(FixedTrial({}), PROBLEM)
    with pytest.raises(SpaceError, match="can't rebuild a network: conv1: too small; parameters drawn: none"):
        space(collapses).rebuild({}, PROBLEM)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_lack_of_memory_is_not_blamed_on_the_space(error: type[Exception]) -> None:
    def hungry(trial: BaseTrial, problem: Problem) -> nn.Module:
        raise error("full")

    with pytest.raises(error):
        space(hungry).rebuild({}, PROBLEM)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "'width' is not found"),
        ({"width": 9}, "value 9 of the parameter 'width' is out of the range"),
        ({"width": 2, "depth": 3, "heads": 4}, "does not know the parameters depth, heads"),
    ],
)
def test_parameters_of_another_space_are_refused(parameters: dict[str, int], message: str) -> None:
    for action in (space(perceptron).rebuild, space(perceptron).describe, space(perceptron).distributions):
        with pytest.raises(SpaceError, match=message):
            action(parameters, PROBLEM)
