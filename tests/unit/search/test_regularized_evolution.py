from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import FrozenTrial

from hpc_nas.configuration import SearchSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.search import make_strategy
from hpc_nas.search.random import random_search
from hpc_nas.search.regularized_evolution import regularized_evolution
from tests.unit.search.test_strategies import context, outcome, run, strategy
from tests.unit.search.toy_search import CONTEXT, Search, deep, flat

LOW = {"a": 0, "b": 0, "c": 0, "d": 1e-6, "e": "left", "f": "only"}
HIGH = {"a": 9, "b": 9, "c": 9, "d": 1.0, "e": "right", "f": "only"}


def evolution(toy: Any = flat, **options: Any) -> Search:
    return Search(regularized_evolution(CONTEXT, **options), toy)


def differences(child: FrozenTrial, parent: FrozenTrial) -> list[str]:
    shared = child.params.keys() & parent.params.keys()
    return sorted(name for name in shared if child.params[name] != parent.params[name])


def children_of_low(search: Search, *, draws: int) -> float:
    """The share of children, none of which is told, that resemble LOW rather than HIGH."""
    children = [search.ask().params for _ in range(draws)]
    alike = [sum(child[name] == LOW[name] for name in "abcde") for child in children]
    return sum(number >= 4 for number in alike) / draws


def test_a_child_differs_from_its_parent_in_exactly_one_parameter_that_can_differ() -> None:
    search = evolution(population_size=1, sample_size=1)
    parent = search.given(LOW, [50.0])
    mutated = []
    for _ in range(100):
        child = search.tell(search.ask(), [50.0])
        mutated += differences(child, parent)
        assert len(differences(child, parent)) == 1
        parent = child  # a population of one: the last that ended
    assert set(mutated) == {"a", "b", "c", "d", "e"}


def test_a_mutated_depth_keeps_the_layers_that_are_left_and_draws_new_ones() -> None:
    search = evolution(deep, population_size=1, sample_size=1)
    parent = search.given({"depth": 3, "width0": 40, "width1": 30, "width2": 20}, [50.0])
    children = [search.ask() for _ in range(60)]
    deeper = [child for child in children if child.params["depth"] > 3]
    flatter = [child for child in children if child.params["depth"] < 3]
    assert deeper
    assert flatter
    for child in (*deeper, *flatter):
        assert differences(search.tell(child, None), parent) == ["depth"]
    assert len({child.params["width3"] for child in deeper}) > 1


def test_an_inherited_value_that_is_no_longer_allowed_is_drawn_anew() -> None:
    search = evolution(deep, population_size=1, sample_size=1)
    search.given({"depth": 2, "width0": 40, "width1": 30}, [50.0])
    children = [search.ask().params for _ in range(200)]
    narrowed = [child for child in children if child["width0"] < 30]
    assert narrowed
    assert all(child["width1"] <= child["width0"] for child in narrowed if child["depth"] > 1)
    widened = [child for child in children if 30 <= child["width0"] != 40 and child["depth"] > 1]
    assert {child["width1"] for child in widened} == {30}


def test_candidates_are_random_until_a_population_has_ended() -> None:
    search, random = evolution(population_size=5), Search(random_search(CONTEXT), flat)
    running = [(search.ask(), random.ask()) for _ in range(7)]
    assert [mine.params for mine, _ in running] == [theirs.params for _, theirs in running]
    for mine, theirs in running[:5]:
        search.tell(mine, [50.0])
        random.tell(theirs, [50.0])
    assert search.ask().params != random.ask().params


def test_the_best_one_has_no_more_children_once_it_is_old() -> None:
    search = evolution(population_size=2, sample_size=2)
    search.given(LOW, [99.0])
    search.given(HIGH, [10.0])
    assert children_of_low(search, draws=40) > 0.5
    search.given(HIGH, [10.0])
    assert children_of_low(search, draws=40) == 0.0


def test_the_best_of_the_sample_is_the_parent() -> None:
    search = evolution(population_size=3, sample_size=3)
    for parameters, estimate in ((HIGH, 10.0), (LOW, 80.0), (HIGH, 70.0)):
        search.given(parameters, [estimate])
    # In the sample with a probability of 1 - (2/3)^3 = 0.70.
    assert 0.6 < children_of_low(search, draws=200) < 0.8


def test_an_uncertain_estimate_wins_as_often_as_it_may_be_the_better_one() -> None:
    shares = {}
    for ranking in ("estimate", "spread"):
        search = evolution(population_size=2, sample_size=2, ranking=ranking)
        search.given(LOW, [60.0], spread=20.0)
        search.given(HIGH, [50.0], spread=0.0)
        shares[ranking] = children_of_low(search, draws=300)
    # Both are in half of the samples; N(60, 20) is above 50 with a probability of 0.69 (0.68 within 0 to 100).
    assert shares["estimate"] == pytest.approx(0.25 + 0.5, abs=0.07)
    assert shares["spread"] == pytest.approx(0.25 + 0.5 * 0.68, abs=0.07)


def test_failed_candidates_do_not_enter_the_population() -> None:
    search = evolution(population_size=1, sample_size=1)
    search.given(LOW, [10.0])
    search.given(HIGH, None)
    assert children_of_low(search, draws=40) == 1.0


def test_a_space_with_a_single_network_has_no_mutation() -> None:
    search = evolution(lambda trial: trial.suggest_int("width", 8, 8), population_size=1, sample_size=1)
    search.tell(search.ask(), [50.0])
    assert search.ask().params == {"width": 8}


def test_evolution_gets_better_where_random_search_stays() -> None:
    def goodness(parameters: Any) -> list[float]:
        return [
            float(parameters["a"] + parameters["b"] - parameters["c"]) + 5.0 * (parameters["e"] == "left")
        ]

    def late_mean(search: Search) -> float:
        ended = search.run(goodness, num_candidates=120)
        return sum(trial.values[0] for trial in ended[80:]) / 40

    assert late_mean(evolution()) > late_mean(Search(random_search(CONTEXT), flat)) + 4.0


def test_same_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    first, second = (
        run(strategy("regularized-evolution", population_size=5), numbers=range(16)) for _ in range(2)
    )
    assert first == second
    other = run(strategy("regularized-evolution", population_size=5, seed=6), numbers=range(16))
    assert all(
        mine.parameters != their.parameters for (mine, _), (their, _) in zip(first, other, strict=True)
    )


def test_a_restored_evolution_goes_on_as_if_never_interrupted() -> None:
    uninterrupted, restored = (
        strategy("regularized-evolution", population_size=5),
        strategy("regularized-evolution", population_size=5),
    )
    log = run(uninterrupted, numbers=range(18))
    for candidate, ended in log:
        restored.restore(candidate)
        if ended is not None:
            restored.tell(candidate, ended)
    in_flight = [candidate for candidate, ended in log if ended is None]
    for number, running in enumerate(in_flight, start=18):
        drawn = restored.ask(number)
        assert drawn == uninterrupted.ask(number)
        assert drawn.parameters != strategy("random").ask(number).parameters  # it is a child
        for each in (restored, uninterrupted):
            each.tell(running, outcome(running))


def test_a_sample_larger_than_the_population_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_strategy(SearchSection(name="regularized-evolution", sample_size=11), context=context())
    assert str(caught.value) == (
        "[search] regularized-evolution: sample_size = 11 of population_size = 10; use 1 to 10"
    )


def test_an_unknown_ranking_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"ranking = 'mean' is not allowed: .*'estimate' or 'spread'"
    ):
        make_strategy(SearchSection(name="regularized-evolution", ranking="mean"), context=context())


@pytest.mark.parametrize("name", ["regularized-evolution", "nsga2"])
def test_candidates_of_earlier_campaigns_are_parents_from_the_first_draw_on(name: str) -> None:
    learnt = [(candidate, outcome(candidate)) for candidate, _ in run(strategy("random"), numbers=range(4))]
    warm = strategy(name, population_size=2, **({"sample_size": 2} if name != "nsga2" else {}))
    for candidate, ended in learnt:
        warm.learn(candidate, ended)
    parents = [candidate.parameters for candidate, _ in learnt]
    inherited = [
        any(value == parent.get(key) for parent in parents)
        for number in range(8)
        for key, value in warm.ask(number).parameters.items()
    ]
    assert sum(inherited) > 0.6 * len(inherited)
