from __future__ import annotations

import logging
import warnings
from typing import Any

import optuna
import pytest
from optuna.trial import BaseTrial, TrialState
from torch import nn

from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.errors import ConfigurationError, SpaceError
from hpc_nas.search import SearchContext, Strategy, make_strategy
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.random import random_search
from hpc_nas.search.sampling import Memoryless
from hpc_nas.search.seeding import candidate_seed, draw_seed
from hpc_nas.spaces import Problem
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import CollapsedShape, Space
from hpc_nas.values import Candidate, Outcome, Reason, State

PROBLEM = Problem(channels=1, height=8, width=8, num_classes=10)
SMALL = load_space(SpaceSection(name="random-cnn", max_conv_layers=3, max_filters=16))

Log = list[tuple[Candidate, Outcome | None]]


def context(space: Space = SMALL, *, seed: int = 1) -> SearchContext:
    return SearchContext(space=space, problem=PROBLEM, seed=seed, num_candidates=40)


def strategy(name: str, *, space: Space = SMALL, seed: int = 5, **options: Any) -> Strategy:
    return make_strategy(SearchSection(name=name, **options), context=context(space, seed=seed))


def outcome(candidate: Candidate) -> Outcome:
    """Every fifth fails, every third is stopped; the estimate follows from the architecture."""
    number = candidate.number
    if number % 5 == 4:
        return Outcome(candidate=number, attempt=0, state=State.FAILED, reason=Reason.NON_FINITE, epochs=1.0)
    state, reason, spread = State.FINISHED, Reason.FULL_BUDGET, 0.0
    if number % 3 == 0:
        state, reason, spread = State.STOPPED, Reason.CONVERGED, 1.5
    estimate = float(candidate.num_parameters % 97)
    return Outcome(
        candidate=number, attempt=0, state=state, reason=reason, estimate=estimate, spread=spread, epochs=4.0
    )


def run(some_strategy: Strategy, *, numbers: range, in_flight: int = 3) -> Log:
    """Ask for candidates, with so many of them in flight at a time; the last ones are not told."""
    log: Log = []
    for number in numbers:
        log.append((some_strategy.ask(number), None))
        if len(log) > in_flight:
            position = len(log) - 1 - in_flight
            candidate = log[position][0]
            log[position] = (candidate, outcome(candidate))
            some_strategy.tell(candidate, outcome(candidate))
    return log


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_same_seed_gives_the_same_sequence_and_another_seed_another(name: str) -> None:
    first, second = (run(strategy(name), numbers=range(15)) for _ in range(2))
    assert first == second
    other = run(strategy(name, seed=6), numbers=range(15))
    assert all(
        mine.parameters != theirs.parameters for (mine, _), (theirs, _) in zip(first, other, strict=True)
    )
    assert all(mine.seed != theirs.seed for (mine, _), (theirs, _) in zip(first, other, strict=True))


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_restored_strategy_goes_on_as_if_never_interrupted(name: str) -> None:
    uninterrupted, restored = strategy(name), strategy(name)
    log = run(uninterrupted, numbers=range(20))
    for candidate, ended in log:
        restored.restore(candidate)
        if ended is not None:
            restored.tell(candidate, ended)
    in_flight = [candidate for candidate, ended in log if ended is None]
    assert len(in_flight) == 3
    for number, running in enumerate(in_flight, start=20):
        assert restored.ask(number) == uninterrupted.ask(number)
        for each in (restored, uninterrupted):
            each.tell(running, outcome(running))


def test_tpe_learns_from_outcomes_that_random_ignores() -> None:
    def next_after(name: str, scale: float) -> Candidate:
        some_strategy = strategy(name)
        for number in range(12):
            candidate = some_strategy.ask(number)
            best = float(candidate.parameters["learning_rate"])
            estimate = 50.0 + scale * best
            some_strategy.tell(candidate, outcome(candidate).model_copy(update={"estimate": estimate}))
        return some_strategy.ask(12)

    assert next_after("random", 10.0) == next_after("random", -10.0)
    assert next_after("tpe", 10.0) != next_after("tpe", -10.0)


def test_a_draw_of_random_depends_on_its_number_only() -> None:
    in_order = [strategy("random").ask(number) for number in range(3)]
    some_strategy = strategy("random")
    assert [some_strategy.ask(number) for number in (2, 0, 1)] == [in_order[2], in_order[0], in_order[1]]


def test_after_a_warm_start_the_same_seed_draws_what_the_earlier_campaign_did_not() -> None:
    earlier = [strategy("random").ask(number) for number in range(3)]
    warm, again = (strategy("random") for _ in range(2))
    for each in (warm, again):
        for candidate in earlier:
            each.learn(candidate, outcome(candidate))
    drawn = [warm.ask(number) for number in range(3)]
    assert all(mine.parameters != theirs.parameters for mine in drawn for theirs in earlier)
    again.restore(drawn[0])
    assert [again.ask(number) for number in (1, 2)] == drawn[1:]


def test_a_candidate_carries_the_description_of_its_network() -> None:
    for candidate, _ in run(strategy("random"), numbers=range(5)):
        description = SMALL.describe(candidate.parameters, PROBLEM)
        assert (candidate.num_parameters, candidate.num_layers, candidate.macs) == (
            description.num_parameters,
            description.num_layers,
            description.macs,
        )
        assert Candidate.model_validate_json(candidate.model_dump_json()) == candidate


def test_seeds_are_distinct_and_fit_their_users() -> None:
    draws = {draw_seed(1, number, redraw) for number in range(50) for redraw in range(20)}
    seeds = {candidate_seed(1, number) for number in range(1000)}
    assert (len(draws), len(seeds)) == (1000, 1000)
    assert all(0 <= seed < 2**32 for seed in draws)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert (draw_seed(0, 0, 0), candidate_seed(0, 0)) == (draw_seed(0, 0, 0), candidate_seed(0, 0))


def collapsing(trial: BaseTrial, problem: Problem) -> nn.Module:
    """Only 1 width in 8 gives a network."""
    if trial.suggest_int("width", 1, 8) != 8:
        raise CollapsedShape("hidden: too narrow")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(8, problem.num_classes))


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_collapsed_draws_are_repeated_and_counted(name: str) -> None:
    calls = 0

    def counted(trial: BaseTrial, problem: Problem) -> nn.Module:
        nonlocal calls
        calls += 1
        return collapsing(trial, problem)

    log = run(strategy(name, space=Space(name="own", function=counted)), numbers=range(15))
    assert [candidate.parameters for candidate, _ in log] == [{"width": 8}] * 15
    assert sum(candidate.redraws + 1 for candidate, _ in log) == calls
    assert calls > 15


def test_a_sampler_that_insists_on_a_collapsed_shape_gives_way_to_random_draws() -> None:
    class Stubborn(optuna.samplers.RandomSampler):
        def sample_independent(self, *_: Any, **__: Any) -> int:
            return 1

    stubborn = OptunaStrategy(
        Memoryless(lambda _: Stubborn()), context=context(Space(name="own", function=collapsing))
    )
    candidate = stubborn.ask(0)
    assert candidate.parameters == {"width": 8}
    assert candidate.redraws > 20


def test_a_space_without_networks_is_an_error_with_the_counts() -> None:
    def hopeless(trial: BaseTrial, problem: Problem) -> nn.Module:
        width = trial.suggest_int("width", 1, 2)
        raise CollapsedShape("hidden: too narrow" if width == 1 else "max_parameters: too many")

    some_context = context(Space(name="own", function=hopeless))
    some_strategy = OptunaStrategy(random_search(some_context), context=some_context, max_rejected=29)
    with pytest.raises(SpaceError) as caught:
        some_strategy.ask(3)
    assert str(caught.value) == (
        "space 'own': no network for 1x8x8 images, 10 classes in 30 draws of candidate 3; rejected: "
        "max_parameters 16 times, hidden 14 times. Loosen these limits under [space] or [constraints]"
    )


def test_the_study_is_told_estimates_spreads_and_failures() -> None:
    some_strategy = OptunaStrategy(random_search(context()), context=context())
    stopped, finished, failed, unknown, running = (some_strategy.ask(number) for number in range(5))
    endings = {
        0: Outcome(
            candidate=0, attempt=0, state=State.STOPPED, reason=Reason.CONVERGED, estimate=71.5, spread=2.0
        ),
        1: Outcome(
            candidate=1, attempt=1, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=80.0, spread=0.0
        ),
        2: Outcome(candidate=2, attempt=0, state=State.FAILED, reason=Reason.OUT_OF_MEMORY),
        3: Outcome(candidate=3, attempt=0, state=State.STOPPED, reason=Reason.BUDGET),
    }
    for candidate in (stopped, finished, failed, unknown):
        some_strategy.tell(candidate, endings[candidate.number])
    told = [
        (trial.user_attrs["candidate"], trial.state, trial.value, trial.user_attrs.get("spread"))
        for trial in some_strategy.study.get_trials()
        if "candidate" in trial.user_attrs
    ]
    assert told == [
        (0, TrialState.COMPLETE, 71.5, 2.0),
        (1, TrialState.COMPLETE, 80.0, 0.0),
        (2, TrialState.FAIL, None, None),
        (3, TrialState.FAIL, None, None),
        (4, TrialState.RUNNING, None, None),
    ]
    assert running.number == 4


def test_asking_or_telling_twice_is_refused() -> None:
    some_strategy = strategy("random")
    candidate = some_strategy.ask(0)
    with pytest.raises(ValueError, match="candidate 0 was asked for or restored before"):
        some_strategy.ask(0)
    with pytest.raises(ValueError, match="candidate 0 was asked for or restored before"):
        some_strategy.restore(candidate)
    some_strategy.tell(candidate, outcome(candidate))
    with pytest.raises(ValueError, match="candidate 0 is not running"):
        some_strategy.tell(candidate, outcome(candidate))


def test_a_candidate_of_another_space_can_not_be_restored() -> None:
    candidate = strategy("random").ask(0)
    foreign = candidate.model_copy(update={"parameters": {**candidate.parameters, "conv1_filters": 17}})
    with pytest.raises(SpaceError, match="value 17 of the parameter 'conv1_filters' is out of the range"):
        strategy("random").restore(foreign)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("randon", {}, "[search]: unknown strategy 'randon'; did you mean 'random'?"),
        ("random", {"seed": 3}, "[search] random: unknown option 'seed'; there are none"),
        (
            "tpe",
            {"n_startup_trails": 3},
            "[search] tpe: unknown option 'n_startup_trails'; did you mean 'n_startup_trials'?",
        ),
        (
            "tpe",
            {"n_ei_candidates": 0},
            "[search] tpe: n_ei_candidates = 0 is not allowed: Input should be greater than or equal to 1; "
            "expected a whole number, 1 to 1000000",
        ),
        (
            "tpe",
            {"constant_liar": "yes"},
            "[search] tpe: constant_liar = 'yes' is not allowed: Input should be a valid boolean",
        ),
        (
            "bohb",
            {"ranking": "optimistic"},
            "[search] bohb: ranking = 'optimistic' is not allowed: Input should be 'estimate' or 'pessimistic'",
        ),
    ],
)
def test_an_unknown_strategy_or_option_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_strategy(SearchSection(name=name, **options), context=context())
    assert str(caught.value) == message


def test_optuna_says_nothing_and_its_own_settings_stay(capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(logging.DEBUG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(strategy("tpe", n_startup_trials=2), numbers=range(6), in_flight=1)
        assert optuna.logging.get_verbosity() == logging.DEBUG
        assert capfd.readouterr() == ("", "")
    finally:
        optuna.logging.set_verbosity(logging.INFO)
