"""The strategy `given`: networks in the order of a list, on resume as well."""

from __future__ import annotations

import json

import pytest

from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.errors import ConfigurationError, SpaceError
from hpc_nas.search import SearchContext, Strategy, Supply, make_strategy
from hpc_nas.search.given import GivenNetwork, as_option
from hpc_nas.search.seeding import candidate_seed
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.registry import load_space

CONTEXT = SearchContext(
    space=load_space(SpaceSection(name="random-cnn")),
    problem=Problem(channels=1, height=8, width=8, num_classes=10),
    seed=5,
    num_candidates=2,
)


def drawn() -> list[GivenNetwork]:
    """Two networks of the space; the second without a seed of its own."""
    source = make_strategy(SearchSection(name="random"), context=CONTEXT)
    first, second = (source.ask(number) for number in range(2))
    return [
        GivenNetwork(parameters=first.parameters, seed=77),
        GivenNetwork(parameters=second.parameters),
    ]


def given(networks: str) -> Strategy:
    return make_strategy(
        SearchSection.model_validate({"name": "given", "networks": networks}), context=CONTEXT
    )


def test_networks_come_in_order_with_their_seeds_and_then_there_are_none() -> None:
    networks = drawn()
    strategy = given(as_option(networks))
    assert strategy.supply is Supply.READY
    first, second = strategy.ask(0), strategy.ask(1)
    assert [first.parameters, second.parameters] == [network.parameters for network in networks]
    assert (first.seed, second.seed) == (77, candidate_seed(5, 1))
    described = CONTEXT.space.describe(first.parameters, CONTEXT.problem)
    assert (first.num_parameters, first.num_layers, first.macs) == (
        described.num_parameters,
        described.num_layers,
        described.macs,
    )
    assert strategy.supply is Supply.EXHAUSTED


def test_resumed_list_goes_on_behind_what_was_drawn() -> None:
    option = as_option(drawn())
    candidate = given(option).ask(0)
    resumed = given(option)
    resumed.restore(candidate)
    with pytest.raises(ValueError, match="drawn before"):
        resumed.ask(0)
    assert resumed.ask(1) == given(option).ask(1)


def test_another_list_than_the_ledgers_is_refused() -> None:
    networks = drawn()
    candidate = given(as_option(networks)).ask(0)
    with pytest.raises(SpaceError, match="go on with the list that the campaign was begun with"):
        given(as_option(networks[::-1])).restore(candidate)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ("[]", "networks is an empty list"),
        ("nonsense", r"networks is no JSON list of networks: Invalid JSON"),
        ('[{"seed": 1}]', r"networks: 0\.parameters: Field required"),
        ('[{"parameters": {}, "sed": 1}]', r"0\.sed: Extra inputs are not permitted"),
    ],
)
def test_text_that_is_no_list_of_networks_is_refused(networks: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        given(networks)


def test_parameters_of_another_space_are_refused() -> None:
    strategy = given(json.dumps([{"parameters": {"num_cells": 3}}]))
    with pytest.raises(SpaceError, match="random-cnn"):
        strategy.ask(0)
