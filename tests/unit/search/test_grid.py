"""Every network of a finite space once, whatever becomes of it, and then the end."""

from __future__ import annotations

import pytest
from optuna.trial import BaseTrial
from torch import nn

from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.errors import SpaceError
from hpc_nas.search import Strategy, Supply, make_strategy
from hpc_nas.search.strategy import NothingLeft
from hpc_nas.spaces import Problem
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import CollapsedShape, Space
from hpc_nas.values import Candidate
from tests.unit.search.test_strategies import context, outcome

NETWORKS = {("short", 1), ("short", 2), ("long", 1), ("long", 2), ("long", 3)}


def finite(trial: BaseTrial, problem: Problem) -> nn.Module:
    """Seven combinations, two of which are no networks; how many widths there are depends on the kind."""
    kind = trial.suggest_categorical("kind", ["short", "long"])
    width = trial.suggest_int("width", 1, 2 if kind == "short" else 5)
    trial.suggest_float("rate", 0.5, 0.5, step=0.5)
    if width > 3:
        raise CollapsedShape("width: too wide")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, problem.num_classes))


def grid(*, seed: int = 1) -> Strategy:
    space = Space(name="own", function=finite)
    return make_strategy(SearchSection(name="grid"), context=context(space, seed=seed))


def draw_all(strategy: Strategy, *, start: int = 0) -> list[Candidate]:
    """All that it has left; none of them ends."""
    candidates: list[Candidate] = []
    while strategy.supply is Supply.READY:
        try:
            candidates.append(strategy.ask(start + len(candidates)))
        except NothingLeft:
            break
    return candidates


def drawn(candidates: list[Candidate]) -> list[tuple[object, object]]:
    return [(candidate.parameters["kind"], candidate.parameters["width"]) for candidate in candidates]


@pytest.mark.parametrize("seed", range(6))
def test_every_network_is_drawn_once_though_none_has_ended(seed: int) -> None:
    strategy = grid(seed=seed)
    candidates = draw_all(strategy)
    assert len(candidates) == len(NETWORKS)
    assert set(drawn(candidates)) == NETWORKS
    assert sum(candidate.redraws for candidate in candidates) <= 2
    assert strategy.supply is Supply.EXHAUSTED


def test_the_order_follows_from_the_seed() -> None:
    assert draw_all(grid(seed=1)) == draw_all(grid(seed=1))
    assert drawn(draw_all(grid(seed=1))) != drawn(draw_all(grid(seed=2)))


@pytest.mark.parametrize("seed", range(6))
def test_a_resumed_grid_draws_what_the_interrupted_one_would_have(seed: int) -> None:
    whole = draw_all(grid(seed=seed))
    for cut in range(1, len(whole)):
        resumed = grid(seed=seed)
        for candidate in whole[:cut]:
            resumed.restore(candidate)
            if candidate.number % 2:
                resumed.tell(candidate, outcome(candidate))
        assert draw_all(resumed, start=cut) == whole[cut:]


def test_a_network_that_failed_is_not_drawn_again() -> None:
    strategy = grid()
    seen: list[Candidate] = []
    for number in range(len(NETWORKS)):
        seen.append(strategy.ask(number))
        strategy.tell(seen[-1], outcome(seen[-1]))
    assert set(drawn(seen)) == NETWORKS


def test_networks_of_earlier_campaigns_are_not_drawn_again() -> None:
    known = draw_all(grid(seed=1))[:3]
    strategy = grid(seed=2)
    for candidate in known:
        strategy.learn(candidate, outcome(candidate))
    assert set(drawn(draw_all(strategy))) == NETWORKS - set(drawn(known))


def test_a_space_that_is_not_finite_is_refused_with_the_parameter() -> None:
    some_context = context(load_space(SpaceSection(name="random-cnn")))
    with pytest.raises(
        SpaceError, match="parameter 'learning_rate' is any number from 1e-06 to 1; give it a"
    ):
        make_strategy(SearchSection(name="grid"), context=some_context)


def test_a_number_without_steps_and_with_one_value_only_is_refused_as_well() -> None:
    def network(trial: BaseTrial, problem: Problem) -> nn.Module:
        trial.suggest_float("rate", 0.1, 0.1)
        width = trial.suggest_int("width", 1, 2)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, problem.num_classes))

    with pytest.raises(SpaceError, match="parameter 'rate' is any number"):
        make_strategy(SearchSection(name="grid"), context=context(Space(name="own", function=network)))
