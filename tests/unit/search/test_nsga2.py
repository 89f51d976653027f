from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from optuna.trial import FrozenTrial, Trial, TrialState

from hpc_nas.configuration import SearchSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.search import make_strategy
from hpc_nas.search.nsga2 import nsga2
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.spaces.space import Space
from tests.unit.search.test_strategies import collapsing, context, outcome, run, strategy
from tests.unit.search.toy_search import CONTEXT, Search, deep, flat

LOW = {"a": 0, "b": 0, "c": 0, "d": 1e-6, "e": "left", "f": "only"}
HIGH = {"a": 9, "b": 9, "c": 9, "d": 1.0, "e": "right", "f": "only"}
NUM_BITS = 16


def search_of(toy: Any = flat, *, seed: int = 3, **options: Any) -> Search:
    return Search(nsga2(context(seed=seed), **options), toy, seed=seed)


def bits(trial: Trial) -> None:
    for place in range(NUM_BITS):
        trial.suggest_int(f"bit{place}", 0, 1)


def lead_and_trail(parameters: Mapping[str, Any]) -> list[float]:
    """Leading ones, trailing zeros (percent; the number of other places): two goals that only some strings reach.

    "Leading ones, trailing zeroes" (Laumanns et al. 2004): k ones before zeros only, for any k, are its front.
    """
    string = "".join(str(parameters[f"bit{place}"]) for place in range(NUM_BITS))
    ones, zeros = NUM_BITS - len(string.lstrip("1")), NUM_BITS - len(string.rstrip("0"))
    return [100.0 * ones / NUM_BITS, float(NUM_BITS - zeros)]


def area_of_front(ended: list[FrozenTrial]) -> float:
    """Area that is dominated, as a share of the square between the worst and the best of both goals."""
    points = sorted((trial.values[1], trial.values[0]) for trial in ended)
    best, area = 0.0, 0.0
    for cost, accuracy in points:
        area += max(0.0, accuracy - best) * (NUM_BITS - cost)
        best = max(best, accuracy)
    return area / (100.0 * NUM_BITS)


def test_the_front_moves_towards_both_goals() -> None:
    late, early, least_cost, most_accurate = [], [], [], []
    for seed in (1, 2):
        ended = search_of(bits, seed=seed).run(lead_and_trail, num_candidates=150)
        early.append(area_of_front(ended[:20]))
        late.append(area_of_front(ended))
        for most, goal, sign in ((most_accurate, 0, 1.0), (least_cost, 1, -1.0)):
            goals = [sign * trial.values[goal] for trial in ended]
            most.append(max(goals) - max(goals[:20]))
    assert np.mean(late) > 1.5 * np.mean(early)
    assert min(most_accurate) > 0.0
    assert min(least_cost) > 0.0


@pytest.mark.parametrize("cost", ["macs", "num_parameters"])
def test_the_cost_is_an_option(cost: Any) -> None:
    objectives = nsga2(CONTEXT, cost=cost).objectives
    assert [(objective.name, objective.direction) for objective in objectives] == [
        ("estimate", "maximize"),
        (cost, "minimize"),
    ]


def test_candidates_are_random_until_a_generation_has_ended() -> None:
    search, random = search_of(population_size=4), search_of(population_size=1000)
    running = [(search.ask(), random.ask()) for _ in range(6)]
    assert [mine.params for mine, _ in running] == [theirs.params for _, theirs in running]
    for number, (mine, theirs) in enumerate(running[:4]):
        assert search.ask().params == random.ask().params
        search.tell(mine, [50.0, float(number)])
        random.tell(theirs, [50.0, float(number)])
    assert search.ask().params != random.ask().params


def test_a_child_has_values_of_both_parents() -> None:
    search = search_of(population_size=2)
    search.given(LOW, [50.0, 1.0])
    search.given(HIGH, [60.0, 2.0])
    children = [search.ask().params for _ in range(200)]
    shares = [sum(child[name] == LOW[name] for child in children) / 200 for name in "abcde"]
    assert all(0.25 < share < 0.75 for share in shares)
    mixed = [{child[name] for name in "abc"} for child in children]
    assert sum(values == {0, 9} for values in mixed) > 40


def test_a_child_is_no_copy_of_its_parent_even_without_crossover() -> None:
    search = search_of(population_size=2, crossover_probability=0.0)
    search.given(LOW, [50.0, 1.0])
    search.given(HIGH, [60.0, 2.0])
    children = [search.ask().params for _ in range(100)]
    assert LOW not in children
    assert HIGH not in children


def test_a_child_takes_the_layers_that_either_parent_has() -> None:
    search = search_of(deep, population_size=2)
    shallow, layered = {"depth": 1, "width0": 60}, {"depth": 3, "width0": 50, "width1": 40, "width2": 30}
    search.given(shallow, [50.0, 1.0])
    search.given(layered, [60.0, 2.0])
    children = [search.ask().params for _ in range(200)]
    of_three = [child for child in children if child["depth"] == 3]
    assert len(of_three) > 20
    assert sum(child["width2"] == 30 for child in of_three) > 0.2 * len(of_three)  # 1 in 40 by chance


def test_what_is_dominated_does_not_survive() -> None:
    search = search_of(population_size=2)
    for parameters, values in (
        (HIGH, [40.0, 5.0]),
        (HIGH, [50.0, 6.0]),
        (LOW, [60.0, 3.0]),
        (LOW, [55.0, 2.0]),
    ):
        search.given(parameters, values)
    children = [search.ask().params for _ in range(50)]
    assert np.mean([sum(child[name] == LOW[name] for name in "abcde") for child in children]) > 3.5


def test_a_candidate_that_ends_after_its_generation_still_takes_part() -> None:
    search = search_of(population_size=2)
    late = [search.ask() for _ in range(2)]
    for _ in range(2):
        search.given(HIGH, [10.0, 9.0])
    assert search.ask().params != HIGH  # the generation is closed
    for trial in late:
        search.tell(trial, [90.0, 1.0])
    inherited = [
        any(child[name] == trial.params[name] for trial in late)
        for child in (search.ask().params for _ in range(50))
        for name in "abc"
    ]
    assert np.mean(inherited) > 0.6


def test_failed_candidates_count_for_no_generation() -> None:
    search, random = search_of(population_size=2), search_of(population_size=1000)
    for each in (search, random):
        each.given(LOW, [50.0, 1.0])
        each.given(HIGH, None)
    assert search.ask().params == random.ask().params
    search.given(LOW, [50.0, 1.0])
    children = [search.ask().params for _ in range(30)]
    assert np.mean([sum(child[name] == LOW[name] for name in "abcde") for child in children]) > 3.5


def test_an_uncertain_estimate_counts_for_less_where_the_spread_does() -> None:
    shares = {}
    for ranking in ("estimate", "spread"):
        search = search_of(population_size=2, ranking=ranking, crossover_probability=0.0)
        search.given(LOW, [60.0, 2.0], spread=20.0)
        search.given(HIGH, [50.0, 2.0], spread=0.0)
        children = [search.ask().params for _ in range(200)]
        shares[ranking] = np.mean([sum(child[n] == LOW[n] for n in "abcde") >= 3 for child in children])
    assert shares["estimate"] == pytest.approx(0.75, abs=0.08)
    assert shares["spread"] == pytest.approx(0.25 + 0.5 * 0.68, abs=0.08)


def test_collapsed_draws_do_no_harm() -> None:
    some_context = context(Space(name="own", function=collapsing))
    some_strategy = OptunaStrategy(nsga2(some_context, population_size=2), context=some_context)
    log = run(some_strategy, numbers=range(12))
    assert [candidate.parameters for candidate, _ in log] == [{"width": 8}] * 12
    states = {
        trial.state for trial in some_strategy.study.get_trials() if "candidate" not in trial.user_attrs
    }
    assert states == {TrialState.FAIL}


def test_same_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    first, second = (run(strategy("nsga2", population_size=4), numbers=range(16)) for _ in range(2))
    assert first == second
    other = run(strategy("nsga2", population_size=4, seed=6), numbers=range(16))
    assert all(
        mine.parameters != their.parameters for (mine, _), (their, _) in zip(first, other, strict=True)
    )


def test_a_restored_search_goes_on_in_its_generation() -> None:
    uninterrupted, restored = (strategy("nsga2", population_size=4) for _ in range(2))
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost": "flops"}, r"cost = 'flops' is not allowed: .*'macs' or 'num_parameters'"),
        ({"population_size": 1}, "population_size = 1 is not allowed: .*greater than or equal to 2"),
        ({"crossover_probability": 1.5}, "crossover_probability = 1.5 is not allowed"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_strategy(SearchSection(name="nsga2", **options), context=context())
