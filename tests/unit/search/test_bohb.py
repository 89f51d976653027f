"""TPE that learns from what candidates show at smaller budgets, and from the highest budget that tells enough."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import BaseTrial, Trial, TrialState
from torch import nn

from hpc_nas.configuration import SearchSection
from hpc_nas.search import Strategy, make_strategy
from hpc_nas.search.budgets import Budgets
from hpc_nas.spaces import Problem
from hpc_nas.spaces.space import CollapsedShape, Space, SpaceFunction
from hpc_nas.values import Candidate, Outcome, Reason, State
from tests.unit.search.test_strategies import context

MAX_EPOCHS = 9.0


def line(trial: BaseTrial, problem: Problem) -> nn.Module:
    """One number matters."""
    trial.suggest_float("place", 0.0, 1.0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, problem.num_classes))


def bohb(name: str = "bohb", *, space: SpaceFunction = line, **options: float) -> Strategy:
    some_context = context(Space(name="line", function=space))
    return make_strategy(SearchSection(name=name, **options), context=some_context)


def place(candidate: Candidate) -> float:
    return float(candidate.parameters["place"])


def finish(strategy: Strategy, candidate: Candidate, accuracy: float) -> None:
    outcome = Outcome(
        candidate=candidate.number,
        attempt=0,
        state=State.FINISHED,
        reason=Reason.FULL_BUDGET,
        estimate=accuracy,
        spread=0.0,
        epochs=MAX_EPOCHS,
    )
    strategy.tell(candidate, outcome)


def next_places(strategy: Strategy, *, start: int, count: int = 6) -> list[float]:
    """Where candidates are drawn that all run at the same time."""
    return [place(strategy.ask(number)) for number in range(start, start + count)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def paused(*, sign: float, num_finished: int = 0) -> Strategy:
    """Twelve are paused; small places look good there if `sign` is -1. Where they finish, the large ones do."""
    strategy = bohb(random_fraction=0.0, min_observations=12)
    candidates = [strategy.ask(number) for number in range(12)]
    for candidate in candidates:
        strategy.pause(candidate, epochs=1.0, accuracy=50.0 + 40.0 * sign * place(candidate))
    for candidate in candidates[:num_finished]:
        finish(strategy, candidate, 10.0 + 80.0 * place(candidate))
    return strategy


def test_candidates_that_are_only_paused_teach_it_where_to_draw() -> None:
    assert mean(next_places(paused(sign=-1.0), start=12)) < 0.35
    assert mean(next_places(paused(sign=1.0), start=12)) > 0.65


def test_the_highest_budget_that_tells_enough_is_the_one_that_counts() -> None:
    assert mean(next_places(paused(sign=-1.0, num_finished=11), start=12)) < 0.35
    assert mean(next_places(paused(sign=-1.0, num_finished=12), start=12)) > 0.65


def test_it_moves_away_from_what_collapses() -> None:
    def collapsing_where_good(trial: BaseTrial, problem: Problem) -> nn.Module:
        if trial.suggest_float("place", 0.0, 1.0) < 0.3:
            raise CollapsedShape("place: too small")
        return nn.Sequential(nn.Flatten(), nn.Linear(64, problem.num_classes))

    strategy = bohb(space=collapsing_where_good, random_fraction=0.0, min_observations=12)
    for candidate in [strategy.ask(number) for number in range(12)]:
        strategy.pause(candidate, epochs=1.0, accuracy=90.0 - 80.0 * place(candidate))
    drawn = [strategy.ask(number) for number in range(12, 18)]
    assert any(candidate.redraws for candidate in drawn)
    assert max(candidate.redraws for candidate in drawn) < 10


def test_it_draws_at_random_until_a_budget_tells_enough() -> None:
    strategy, random = bohb(min_observations=3, random_fraction=0.0), bohb("random")
    for number in range(4):
        assert strategy.ask(number) == random.ask(number)
    for number in range(2):
        strategy.pause(
            random.ask(10 + number).model_copy(update={"number": number}), epochs=1.0, accuracy=50.0
        )
    assert strategy.ask(4) == random.ask(4)
    strategy.pause(random.ask(12).model_copy(update={"number": 2}), epochs=1.0, accuracy=10.0)
    assert strategy.ask(5) != random.ask(5)


def test_a_share_of_the_draws_stays_random() -> None:
    learned, random = bohb(min_observations=1, random_fraction=0.5), bohb("random")
    first = learned.ask(0)
    learned.pause(first, epochs=1.0, accuracy=50.0)
    same = [learned.ask(number) == random.ask(number) for number in range(1, 31)]
    assert 5 < sum(same) < 25


def test_a_restored_search_with_pauses_goes_on_as_if_never_interrupted() -> None:
    uninterrupted, restored = (bohb(min_observations=3) for _ in range(2))
    for number in range(12):
        candidate = uninterrupted.ask(number)
        restored.restore(candidate)
        for strategy in (uninterrupted, restored):
            if number % 4:
                strategy.pause(candidate, epochs=float(number % 3 + 1), accuracy=100.0 * place(candidate))
            if number % 4 in (0, 2):
                finish(strategy, candidate, 100.0 * place(candidate))
    assert [uninterrupted.ask(n) for n in range(12, 18)] == [restored.ask(n) for n in range(12, 18)]


def trials(count: int) -> list[Trial]:
    study = optuna.create_study()
    drawn = [study.ask() for _ in range(count)]
    for trial in drawn:
        trial.suggest_float("place", 0.0, 1.0)
    return drawn


def known_at(budgets: Budgets, least: int) -> list[tuple[float, TrialState, float | None]]:
    """What the model of the highest budget with so many observations is made of, ended ones left out."""
    study = budgets.highest(min_observations=least)
    assert study is not None
    states = (TrialState.COMPLETE, TrialState.RUNNING)
    return [
        (t.params["place"], t.state, t.value if t.state is states[0] else None)
        for t in study.get_trials(states=states)
    ]


def test_what_runs_is_counted_at_each_budget_where_nothing_is_known_of_it() -> None:
    budgets = Budgets()
    first, second, third = trials(3)
    for trial in (first, second, third):
        budgets.start(trial)
    budgets.observe(first, epochs=1.0, value=40.0)
    places = [trial.params["place"] for trial in (first, second, third)]
    running = [(place, TrialState.RUNNING, None) for place in places[1:]]
    assert sorted(known_at(budgets, 1)) == sorted([*running, (places[0], TrialState.COMPLETE, 40.0)])
    budgets.observe(second, epochs=3.0, value=60.0)  # the first may never get there
    assert sorted(known_at(budgets, 1)) == sorted([running[1], (places[1], TrialState.COMPLETE, 60.0)])
    budgets.leave(third)
    assert known_at(budgets, 1) == [(places[1], TrialState.COMPLETE, 60.0)]


def test_a_candidate_is_known_at_every_budget_that_it_reached_and_once_at_each() -> None:
    budgets = Budgets()
    (trial,) = trials(1)
    budgets.start(trial)
    for epochs, value in ((1.0, 40.0), (1.0, 45.0), (3.0, 50.0)):
        budgets.observe(trial, epochs=epochs, value=value)
    place = trial.params["place"]
    assert known_at(budgets, 1) == [(place, TrialState.COMPLETE, 50.0)]
    (other,) = trials(1)
    budgets.observe(other, epochs=1.0 + 1e-12, value=20.0)
    assert budgets.highest(min_observations=2) is None  # the same number: the same candidate to it


@pytest.mark.parametrize("epochs", [0.1 + 0.2, 0.3])
def test_budgets_that_differ_by_rounding_are_one(epochs: float) -> None:
    budgets = Budgets()
    first, second = trials(2)
    budgets.observe(first, epochs=0.3, value=1.0)
    budgets.observe(second, epochs=epochs, value=2.0)
    assert len(known_at(budgets, 2)) == 2
