"""A network that was drawn before is drawn again instead of trained again, whatever the strategy."""

from __future__ import annotations

import pytest
from optuna.trial import BaseTrial
from torch import nn

from hpc_nas.search import Strategy
from hpc_nas.search.registry import STRATEGIES
from hpc_nas.spaces import Problem
from hpc_nas.spaces.space import CollapsedShape, Space
from tests.unit.search.test_strategies import outcome, strategy

SIX = {(width, act) for width in (4, 5, 6) for act in ("relu", "tanh")}


def six_networks(trial: BaseTrial, problem: Problem) -> nn.Module:
    width = trial.suggest_int("width", 4, 6)
    act = trial.suggest_categorical("act", ["relu", "tanh"])
    middle = nn.ReLU() if act == "relu" else nn.Tanh()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), middle, nn.Linear(width, problem.num_classes))


def rarely_a_network(trial: BaseTrial, problem: Problem) -> nn.Module:
    """One draw in 50, and always the same one."""
    if trial.suggest_int("width", 1, 50) != 1:
        raise CollapsedShape("width: too wide")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, problem.num_classes))


def no_choice(trial: BaseTrial, problem: Problem) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, problem.num_classes))


def over_six(name: str, *, train_repeats: bool = False) -> Strategy:
    return strategy(name, space=Space(name="own", function=six_networks), train_repeats=train_repeats)


def network(some_strategy: Strategy, number: int) -> tuple[object, ...]:
    """Ask for a candidate and tell its end."""
    candidate = some_strategy.ask(number)
    some_strategy.tell(candidate, outcome(candidate))
    return (candidate.parameters["width"], candidate.parameters["act"])


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_network_comes_once_before_any_comes_twice(name: str) -> None:
    some_strategy = over_six(name)
    assert {network(some_strategy, number) for number in range(6)} == SIX


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"grid"}))
def test_where_nothing_else_is_left_one_is_trained_again(name: str) -> None:
    some_strategy = over_six(name)
    for number in range(6):
        network(some_strategy, number)
    seventh = some_strategy.ask(6)
    assert (seventh.parameters["width"], seventh.parameters["act"]) in SIX
    assert seventh.redraws == 40


@pytest.mark.parametrize("name", ["random", "tpe", "regularized-evolution"])
def test_repeats_can_be_asked_for(name: str) -> None:
    some_strategy = over_six(name, train_repeats=True)
    drawn = [some_strategy.ask(number) for number in range(7)]
    assert not any(candidate.redraws for candidate in drawn)
    assert len({tuple(candidate.parameters.items()) for candidate in drawn}) < len(SIX)


def test_what_is_in_flight_or_from_an_earlier_campaign_is_known() -> None:
    first, restored, warm = (over_six("random") for _ in range(3))
    candidates = [first.ask(number) for number in range(5)]
    for candidate in candidates:
        restored.restore(candidate)
        warm.learn(candidate, outcome(candidate))
    assert restored.ask(5) == first.ask(5)
    left = warm.ask(0).parameters
    assert left not in [candidate.parameters for candidate in candidates]


def test_a_space_of_few_networks_that_are_rarely_drawn_is_no_error() -> None:
    some_strategy = strategy("random", space=Space(name="own", function=rarely_a_network))
    assert [some_strategy.ask(number).parameters for number in range(3)] == [{"width": 1}] * 3


def test_a_space_without_parameters_has_one_network_that_is_trained_as_often_as_asked() -> None:
    some_strategy = strategy("random", space=Space(name="own", function=no_choice))
    assert [some_strategy.ask(number).redraws for number in range(3)] == [0, 0, 0]
