from __future__ import annotations

from hpc_nas.configuration import SearchSection
from hpc_nas.search import SearchContext, Strategy, Supply, make_strategy
from hpc_nas.spaces.space import Space
from tests.unit.search.test_strategies import PROBLEM, collapsing, outcome


def generations_of_two() -> Strategy:
    space = Space(name="own", function=collapsing)
    context = SearchContext(space=space, problem=PROBLEM, seed=1, num_candidates=8)
    return make_strategy(SearchSection(generation=2), context=context)


def test_a_generation_waits_until_all_of_the_one_before_have_ended() -> None:
    strategy = generations_of_two()
    first, second = strategy.ask(0), strategy.ask(1)
    assert strategy.supply is Supply.WAITING
    strategy.tell(second, outcome(second))
    assert strategy.supply is Supply.WAITING
    strategy.tell(first, outcome(first))
    assert strategy.supply is Supply.READY
    strategy.ask(2)
    assert strategy.supply is Supply.READY


def test_a_paused_candidate_holds_up_no_generation() -> None:
    strategy = generations_of_two()
    first, second = strategy.ask(0), strategy.ask(1)
    strategy.tell(second, outcome(second))
    strategy.pause(first, epochs=1.0, accuracy=50.0)
    assert strategy.supply is Supply.READY


def test_a_restored_generation_waits_as_before() -> None:
    original, restored = generations_of_two(), generations_of_two()
    for candidate in (original.ask(0), original.ask(1)):
        restored.restore(candidate)
    assert restored.supply is Supply.WAITING
