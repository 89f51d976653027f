"""Limits of `[constraints]`: what is beyond them is drawn again, counted, and named where nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import BaseTrial
from torch import nn

from hpc_nas.configuration import ConstraintsSection, SearchSection, TrainingSection
from hpc_nas.errors import SpaceError
from hpc_nas.search import SearchContext, make_strategy
from hpc_nas.search.limits import BeyondLimits, Limits, RejectedDraws
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.random import random_search
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.memory import Footprint
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import CollapsedShape, Network, Space

PROBLEM = Problem(channels=1, height=8, width=8, num_classes=10)
MIB = 2**20


def perceptron(trial: BaseTrial, problem: Problem) -> Network:
    """64 w + 10 w weights and as many multiply-adds, less the biases; a width of 5 collapses."""
    width = trial.suggest_int("width", 1, 8)
    if width == 5:
        raise CollapsedShape("width: five is no network")
    layers = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, problem.num_classes))
    return Network(module=layers, recipe=Recipe(batch_size=32))


def context() -> SearchContext:
    return SearchContext(
        space=Space(name="own", function=perceptron), problem=PROBLEM, seed=1, num_candidates=20
    )


def limits(**keys: Any) -> Limits:
    return Limits(constraints=ConstraintsSection(**keys))


def described(**changes: Any) -> Description:
    facts: dict[str, Any] = {"num_parameters": 1000, "num_layers": 2, "macs": 5000}
    return Description(**facts | changes)


def test_what_is_at_a_limit_is_within_it() -> None:
    limits(max_parameters=1000, max_macs=5000).check(described())


@pytest.mark.parametrize(
    ("key", "allowed", "message"),
    [
        ("max_parameters", 999, "[constraints] max_parameters: 1,000 of 999"),
        ("max_macs", 4999, "[constraints] max_macs: 5,000 of 4,999"),
        ("max_memory_mib", 7, "[constraints] max_memory_mib: 8 of 7"),
    ],
)
def test_what_is_beyond_a_limit_is_named(key: str, allowed: int, message: str) -> None:
    footprint = Footprint(trained_bytes=MIB, fixed_bytes=1, sample_bytes=5 * MIB)
    network = described(footprint=footprint, recipe=Recipe(batch_size=1))
    with pytest.raises(BeyondLimits) as beyond:
        limits(**{key: allowed}).check(network)
    assert str(beyond.value) == message


def test_memory_is_that_of_the_recipe_as_the_campaign_overrides_it() -> None:
    network = described(
        footprint=Footprint(trained_bytes=10 * MIB, sample_bytes=MIB), recipe=Recipe(batch_size=8)
    )
    allowed = ConstraintsSection(max_memory_mib=2 * 10 + 8)
    Limits(constraints=allowed).check(network)
    for override in ({"batch_size": 9}, {"optimizer": "adam"}, {"momentum": 0.5}):
        with pytest.raises(BeyondLimits, match=r"\[constraints\] max_memory_mib"):
            Limits(constraints=allowed, training=TrainingSection.model_validate(override)).check(network)


def test_networks_beyond_a_limit_are_drawn_again_and_counted() -> None:
    strategy = make_strategy(SearchSection(), context=context(), limits=limits(max_macs=2 * 74))
    candidates = [strategy.ask(number) for number in range(20)]
    assert {candidate.parameters["width"] for candidate in candidates} == {1, 2}
    assert all(0 <= candidate.beyond_limits <= candidate.redraws for candidate in candidates)
    # Of 8 widths one collapses and five are beyond.
    beyond, redraws = (sum(getattr(c, name) for c in candidates) for name in ("beyond_limits", "redraws"))
    assert 0 < redraws - beyond < beyond


def test_an_empty_set_of_networks_is_an_error_with_counts_and_what_came_nearest() -> None:
    strategy = OptunaStrategy(
        random_search(context()), context=context(), limits=limits(max_macs=73), max_rejected=19
    )
    with pytest.raises(SpaceError) as caught:
        strategy.ask(0)
    assert str(caught.value) == (
        "space 'own': no network for 1x8x8 images, 10 classes in 20 draws of candidate 0; rejected: "
        "[constraints] max_macs 18 times (73 allowed, 74 at least), width twice. "
        "Loosen these limits under [space] or [constraints]"
    )


def test_a_search_for_the_first_network_ends_with_its_patience() -> None:
    strategy = OptunaStrategy(
        random_search(context()),
        context=context(),
        limits=limits(max_macs=73),
        max_rejected=10**9,
        patience_s=0.05,
    )
    with pytest.raises(SpaceError, match="no network"):
        strategy.ask(0)


def test_reasons_stand_in_order_of_their_counts() -> None:
    rejected = RejectedDraws()
    for seen in (30, 20, 40):
        rejected.add(BeyondLimits("max_macs", seen=seen, allowed=10))
    rejected.add(CollapsedShape("max_macs: an option of the space"))
    assert (len(rejected), rejected.num_beyond_limits) == (4, 3)
    assert str(rejected) == "[constraints] max_macs 3 times (10 allowed, 20 at least), max_macs once"
