"""The agent of `metaqnn`: what it learns, what it draws, and that a restored one is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, TrialState, create_trial
from scipy.stats import chisquare
from torch import nn

from hpc_nas.configuration import SearchSection, SpaceSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.search import SearchContext, Strategy, make_strategy
from hpc_nas.search.discrete import actions_of
from hpc_nas.search.metaqnn import Agent, metaqnn
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.q_learning import Experience, QLearner, Step, epsilon_greedy
from hpc_nas.search.q_states import Drawn
from hpc_nas.spaces import Problem
from hpc_nas.spaces.metaqnn import draw_actions
from hpc_nas.spaces.metaqnn_rules import Action, FullyConnected, Pooling, Rules, State, Termination
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Space
from hpc_nas.values import Candidate, Outcome, Reason
from hpc_nas.values import State as CandidateState

PROBLEM = Problem(channels=1, height=8, width=8, num_classes=10)
Log = list[tuple[Candidate, Outcome | None]]

TWO = CategoricalDistribution(("a", "b"))


def chain(trial: BaseTrial, problem: Problem) -> nn.Module:
    """Parameters of every kind, some of which come and go; one leaves no choice. The network is always the same."""
    for index in range(trial.suggest_int("num", 1, 4)):
        trial.suggest_categorical(f"kind{index}", ["a", "b", "c"])
    trial.suggest_categorical("only", ["one"])
    trial.suggest_float("rate", 1e-3, 1e-1, log=True)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def two_networks(trial: BaseTrial, problem: Problem) -> nn.Module:
    trial.suggest_categorical("which", ["a", "b"])
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def context(space: Space, *, seed: int = 5, num_candidates: int = 40) -> SearchContext:
    return SearchContext(space=space, problem=PROBLEM, seed=seed, num_candidates=num_candidates)


def strategy(function: Any = chain, *, seed: int = 5, **options: Any) -> Strategy:
    space = Space(name="own", function=function)
    return make_strategy(SearchSection(name="metaqnn", **options), context=context(space, seed=seed))


def agent(space_name: str = "random-cnn", *, num_candidates: int = 40, **options: Any) -> Agent:
    space_options = options.pop("space", {})
    space = load_space(SpaceSection(name=space_name, **space_options))
    return metaqnn(context(space, num_candidates=num_candidates), **options)


def outcome(candidate: Candidate) -> Outcome:
    """Every fifth fails, one is cancelled, every third is stopped; the estimate follows from the first kind."""
    number = candidate.number
    known: dict[str, Any] = {"candidate": number, "attempt": 0, "epochs": 4.0}
    if number % 5 == 4:
        return Outcome(state=CandidateState.FAILED, reason=Reason.NON_FINITE, **known)
    if number == 7:
        return Outcome(state=CandidateState.CANCELLED, reason=Reason.CANCELLED, **known)
    return measured(candidate)


def measured(candidate: Candidate) -> Outcome:
    number = candidate.number
    estimate = {"a": 30.0, "b": 60.0, "c": 90.0}[str(candidate.parameters["kind0"])] + number % 7
    state, reason, spread = CandidateState.FINISHED, Reason.FULL_BUDGET, 0.0
    if number % 3 == 0:
        state, reason, spread = CandidateState.STOPPED, Reason.CONVERGED, 1.5
    return Outcome(
        candidate=number, attempt=0, state=state, reason=reason, estimate=estimate, spread=spread, epochs=4.0
    )


def trial_of(
    parameters: dict[str, Any],
    *,
    distributions: dict[str, BaseDistribution],
    estimate: float | None,
    label: str = "finished",
) -> Any:
    return create_trial(
        state=TrialState.FAIL if estimate is None else TrialState.COMPLETE,
        value=estimate,
        params=parameters,
        distributions=distributions,
        user_attrs={"outcome": label},
    )


def step(state: str, action: int, *, num_actions: int = 2) -> Step:
    return Step(state=state, num_actions=num_actions, action=action)


class Picks:
    """Stands in for a generator: the remembered experiences in the order given."""

    def __init__(self, *indices: int) -> None:
        self._indices = indices

    def integers(self, high: int, size: int) -> Any:
        return np.array(self._indices)


def replay(learner: QLearner, *indices: int) -> None:
    learner.replay(len(indices), generator=cast(np.random.Generator, Picks(*indices)))


def test_updates_are_those_of_equation_3_with_the_last_transition_first() -> None:
    learner = QLearner(learning_rate=0.1, discount=1.0, initial_value=0.5)
    learner.remember(Experience(steps=(step("start", 0), step("middle", 1)), reward=0.9))
    learner.remember(Experience(steps=(step("start", 0), step("middle", 0)), reward=0.0))
    assert [*learner.values("start", num_actions=2), *learner.values("other", num_actions=3)] == [0.5] * 5
    replay(learner, 0)
    assert learner.values("middle", num_actions=2) == pytest.approx([0.5, 0.54])  # 0.5 + 0.1 (0.9 - 0.5)
    assert learner.values("start", num_actions=2) == pytest.approx([0.504, 0.5])  # 0.5 + 0.1 (0.54 - 0.5)
    replay(learner, 0, 1)
    assert learner.values("middle", num_actions=2) == pytest.approx([0.45, 0.576])
    # 0.504 + 0.1 (0.576 - 0.504) = 0.5112; then the best of the middle still counts, not the bad end just seen.
    assert learner.values("start", num_actions=2) == pytest.approx([0.51768, 0.5])


def test_a_discount_weighs_what_comes_later() -> None:
    learner = QLearner(learning_rate=1.0, discount=0.5, initial_value=0.0)
    learner.remember(Experience(steps=(step("start", 0), step("middle", 1)), reward=0.8))
    replay(learner, 0)
    assert learner.values("middle", num_actions=2) == [0.0, 0.8]
    assert learner.values("start", num_actions=2) == [0.4, 0.0]


def test_values_reach_the_best_end_below_each_action() -> None:
    """A tree of three choices among two; the value of an action is the best reward that it still allows."""
    rewards = dict(
        zip(itertools.product((0, 1), repeat=3), (0.1, 0.8, 0.3, 0.2, 0.6, 0.5, 0.9, 0.0), strict=True)
    )
    generator = np.random.default_rng(3)
    learner = QLearner(learning_rate=0.1, discount=1.0, initial_value=0.5)
    for _ in range(100):
        path: tuple[int, ...] = ()
        while len(path) < 3:
            values = learner.values(path, num_actions=2)
            path += (epsilon_greedy(values, epsilon=1.0, generator=generator),)
        steps = tuple(Step(state=path[:depth], num_actions=2, action=path[depth]) for depth in range(3))
        learner.remember(Experience(steps=steps, reward=rewards[path]))
        learner.replay(50, generator=generator)
    for length in range(3):
        for prefix in itertools.product((0, 1), repeat=length):
            best = [max(r for p, r in rewards.items() if p[: length + 1] == (*prefix, u)) for u in (0, 1)]
            assert learner.values(prefix, num_actions=2) == pytest.approx(best, abs=0.01)


def test_epsilon_zero_takes_the_best_and_breaks_ties_by_chance() -> None:
    generator = np.random.default_rng(1)
    assert {epsilon_greedy([0.2, 0.7, 0.6], epsilon=0.0, generator=generator) for _ in range(100)} == {1}
    tied = [epsilon_greedy([0.7, 0.1, 0.7], epsilon=0.0, generator=generator) for _ in range(400)]
    assert set(tied) == {0, 2}
    assert chisquare([tied.count(0), tied.count(2)]).pvalue > 0.01


def test_epsilon_one_chooses_equally_whatever_the_values() -> None:
    generator = np.random.default_rng(2)
    drawn = [epsilon_greedy([0.0, 0.9, 0.5, 0.1], epsilon=1.0, generator=generator) for _ in range(4000)]
    assert chisquare(np.bincount(drawn, minlength=4)).pvalue > 0.01


def test_epsilon_between_is_the_share_of_random_actions() -> None:
    generator = np.random.default_rng(2)
    drawn = [epsilon_greedy([0.0, 0.9, 0.5, 0.1], epsilon=0.4, generator=generator) for _ in range(4000)]
    expected = np.array([0.1, 0.7, 0.1, 0.1]) * 4000
    assert chisquare(np.bincount(drawn, minlength=4), expected).pvalue > 0.01


def test_a_greedy_agent_draws_the_best_that_it_was_told() -> None:
    some_agent = agent("nas-bench-201", schedule="0.0:1")
    names = ["node1_from0", "node2_from0", "node2_from1"]
    held = dict.fromkeys(names, TWO)
    for choices in itertools.product("ab", repeat=3):
        estimate = {"bab": 95.0}.get("".join(choices), 40.0)
        parameters = dict(zip(names, choices, strict=True))
        some_agent.told(trial_of(parameters, distributions=held, estimate=estimate))
    generator, before = np.random.default_rng(1), list[Drawn]()
    for name in names:
        value = some_agent.choose(
            name, TWO, before=before, epsilon=some_agent.epsilon_of(0), generator=generator
        )
        before.append(Drawn(name, TWO, value))
    assert [drawn.value for drawn in before] == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("estimate", "label", "expected"),
    [
        (90.0, "finished", [0.5, 0.9]),
        (30.0, "stopped: never_learn", [0.5, 0.3]),
        (102.5, "stopped: converged", [0.5, 1.0]),
        (None, "failed: non_finite", [0.5, 0.0]),
        (None, "failed: out_of_memory", [0.5, 0.0]),
        (None, "cancelled", [0.5, 0.5]),
        (None, "stopped: budget", [0.5, 0.5]),
    ],
)
def test_what_a_candidate_is_worth(estimate: float | None, label: str, expected: list[float]) -> None:
    some_agent = agent(learning_rate=1.0)
    some_agent.told(trial_of({"x": "b"}, distributions={"x": TWO}, estimate=estimate, label=label))
    assert some_agent.values("x", TWO) == expected


def test_same_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    first, second, other = (run(strategy(seed=seed), numbers=range(30)) for seed in (5, 5, 6))
    assert first == second
    assert all(a.parameters != b.parameters for (a, _), (b, _) in zip(first[:5], other[:5], strict=True))


def run(
    some_strategy: Strategy,
    *,
    numbers: range,
    in_flight: int = 3,
    end: Callable[[Candidate], Outcome] = outcome,
) -> Log:
    """Ask for candidates, with so many of them in flight at a time; the last ones are not told."""
    log: Log = []
    for number in numbers:
        log.append((some_strategy.ask(number), None))
        if len(log) > in_flight:
            candidate, _ = log[-1 - in_flight]
            log[-1 - in_flight] = (candidate, end(candidate))
            some_strategy.tell(candidate, end(candidate))
    return log


def test_a_restored_agent_knows_and_draws_what_an_uninterrupted_one_does() -> None:
    uninterrupted, restored = strategy(), strategy()
    log = run(uninterrupted, numbers=range(28))
    for candidate, ended in log:
        restored.restore(candidate)
        if ended is not None:
            restored.tell(candidate, ended)
    assert {ended.state for _, ended in log if ended is not None} > {
        CandidateState.FAILED,
        CandidateState.CANCELLED,
    }
    assert known(restored, log) == known(uninterrupted, log)
    in_flight = [candidate for candidate, ended in log if ended is None]
    for number, running in enumerate(in_flight, start=28):
        assert restored.ask(number) == uninterrupted.ask(number)
        for each in (restored, uninterrupted):
            each.tell(running, outcome(running))
    assert known(restored, log) == known(uninterrupted, log)


def known(some_strategy: Strategy, log: Log) -> list[Sequence[float]]:
    """All values along the walks of these candidates."""
    assert isinstance(some_strategy, OptunaStrategy)
    some_agent = some_strategy._sampling
    assert isinstance(some_agent, Agent)
    space = Space(name="own", function=chain)
    found = []
    for candidate, _ in log:
        held = space.distributions(candidate.parameters, PROBLEM)
        walk = [Drawn(name, held[name], candidate.parameters[name]) for name in held]
        found += [
            some_agent.values(one.name, one.distribution, before=walk[:index])
            for index, one in enumerate(walk)
        ]
    assert any(value != 0.5 for values in found for value in values)
    return found


def test_what_it_learns_shows_in_what_it_draws() -> None:
    log = run(strategy(schedule="1.0:20, 0.0:20"), numbers=range(40), end=measured)
    kinds = [candidate.parameters["kind0"] for candidate, _ in log]
    assert set(kinds[:20]) == {"a", "b", "c"}
    assert set(kinds[25:]) == {"c"}  # the candidates in flight at the step are past by then


def test_restored_candidates_in_flight_are_not_drawn_again() -> None:
    some_strategy, restored = (strategy(two_networks) for _ in range(2))
    first = some_strategy.ask(0)
    restored.restore(first)
    assert restored.ask(1) == some_strategy.ask(1)
    assert restored.supply == some_strategy.supply


class Walking:
    """As much of a trial as `draw_actions` asks for."""

    def __init__(self, some_agent: Agent, *, epsilon: float, generator: np.random.Generator) -> None:
        self._agent, self._epsilon, self._generator = some_agent, epsilon, generator
        self.before: list[Drawn] = []

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        held = CategoricalDistribution(choices)
        value = self._agent.choose(
            name, held, before=self.before, epsilon=self._epsilon, generator=self._generator
        )
        assert value in choices
        self.before.append(Drawn(name, held, value))
        return value


def test_ten_thousand_walks_break_no_rule() -> None:
    rules, generator = Rules(max_layers=8), np.random.default_rng(4)
    some_agent = agent("metaqnn", space={"max_layers": 8}, replay=20)
    depths = set()
    for number in range(10_000):
        trial = Walking(some_agent, epsilon=(number % 11) / 10, generator=generator)
        # `draw_actions` itself refuses what the state does not allow.
        actions = draw_actions(cast(Any, trial), rules, size=PROBLEM.height)
        assert broken(actions) == []
        depths.add(len(actions) - 1)
        if number < 300:
            held = {drawn.name: drawn.distribution for drawn in trial.before}
            values = {drawn.name: drawn.value for drawn in trial.before}
            some_agent.told(trial_of(values, distributions=held, estimate=7.0 * len(actions)))
    assert depths == set(range(1, 9))


def broken(actions: Sequence[Action]) -> list[str]:
    """What a walk breaks of Table 1's caption, told by the layers alone."""
    *layers, end = actions
    found = [] if isinstance(end, Termination) and 1 <= len(layers) <= 8 else ["end"]
    for before, after in itertools.pairwise(actions):
        match before, after:
            case (Pooling(), Pooling()):
                found.append("pooling after pooling")
            case (FullyConnected(), _) if after is not Termination.SOFTMAX:
                if not isinstance(after, FullyConnected) or after.neurons > before.neurons:
                    found.append("after fully connected")
    return found


def test_over_metaqnn_a_state_is_bakers_whatever_led_to_it() -> None:
    some_agent = agent("metaqnn", learning_rate=1.0)
    first, other = (
        {"layer1_after_start8": one, "layer2_after_conv8": "C(128,1,1)", "layer3_after_conv8": "SM"}
        for one in ("C(64,3,1)", "C(512,5,1)")
    )
    held = load_space(SpaceSection(name="metaqnn")).distributions(first, PROBLEM)
    some_agent.told(trial_of(first, distributions=held, estimate=90.0))
    choices = cast(CategoricalDistribution, held["layer3_after_conv8"])
    walk = [Drawn(name, held[name], value) for name, value in other.items()]
    values = some_agent.values("layer3_after_conv8", choices, before=walk[:2])
    assert dict(zip(choices.choices, values, strict=True)) == {
        choice: 0.9 if choice == "SM" else 0.5 for choice in choices.choices
    }
    assert set(some_agent.values("layer2_after_conv8", held["layer2_after_conv8"], before=walk[:1])) == {0.5}


def test_fully_connected_layers_in_a_row_are_states_of_their_own() -> None:
    """Name and layer before are the same there; the number in a row is what Baker's state has besides."""
    after_one = {
        "layer1_after_start8": "C(64,1,1)",
        "layer2_after_conv8": "P(2,2)",
        "layer3_after_pool4": "FC(128)",
        "layer4_after_fc128": "SM",
    }
    after_two = {
        "layer1_after_start8": "P(5,3)",
        "layer2_after_pool1": "FC(128)",
        "layer3_after_fc128": "FC(128)",
        "layer4_after_fc128": "SM",
    }
    space = load_space(SpaceSection(name="metaqnn", max_fully_connected=3, first="convolution_or_pooling"))
    some_agent = metaqnn(context(space), learning_rate=1.0)
    held, other = (space.distributions(parameters, PROBLEM) for parameters in (after_one, after_two))
    some_agent.told(trial_of(after_one, distributions=held, estimate=90.0))
    walk = [Drawn(name, other[name], value) for name, value in after_two.items()]
    name = "layer4_after_fc128"
    assert other[name] == held[name]
    assert set(some_agent.values(name, other[name], before=walk[:3])) == {0.5}


def test_elsewhere_a_state_is_the_parameter_and_the_action_before_it() -> None:
    some_agent, long = agent(learning_rate=1.0), IntDistribution(1, 400)
    held = {"width": long, "kind": TWO}
    some_agent.told(trial_of({"width": 41, "kind": "b"}, distributions=held, estimate=80.0))
    same, other = (some_agent.values("kind", TWO, before=[Drawn("width", long, w)]) for w in (80, 81))
    assert [same, other] == [[0.5, 0.8], [0.5, 0.5]]
    assert some_agent.values("width", long) == [0.5, 0.8, *[0.5] * 8]


@pytest.mark.parametrize(
    ("held", "count"),
    [
        (CategoricalDistribution((True, "x", 3, 0.5)), 4),
        (IntDistribution(3, 12), 10),
        (IntDistribution(3, 13), 10),
        (IntDistribution(1, 400), 10),
        (IntDistribution(0, 100, step=5), 10),
        (IntDistribution(1, 1000, log=True), 10),
        (IntDistribution(1, 20, log=True), 9),
        (FloatDistribution(1.0, 2.0, step=0.125), 9),
        (FloatDistribution(-1.0, 2.0), 10),
        (FloatDistribution(1e-4, 1e-1, log=True), 10),
    ],
    ids=str,
)
def test_every_action_draws_values_that_are_its_own(held: BaseDistribution, count: int) -> None:
    actions, generator = actions_of(held, num_bins=10), np.random.default_rng(1)
    assert actions.count == count
    for action in range(count):
        for _ in range(50):
            value = actions.draw(action, generator=generator)
            assert held._contains(held.to_internal_repr(value))
            assert actions.action_of(value) == action
    if not isinstance(held, CategoricalDistribution):
        ends = cast(Any, held)
        assert [actions.action_of(ends.low), actions.action_of(ends.high)] == [0, count - 1]


def test_every_whole_number_of_a_long_range_is_drawn_about_as_often() -> None:
    actions, generator = actions_of(IntDistribution(1, 40), num_bins=10), np.random.default_rng(7)
    drawn = [actions.draw(int(generator.integers(actions.count)), generator=generator) for _ in range(8000)]
    assert chisquare(np.bincount(cast(Any, drawn), minlength=41)[1:]).pvalue > 0.01


def test_states_without_a_choice_are_passed() -> None:
    rules = Rules(filters=(64,), kernels=(1,), poolings=(), max_fully_connected=0, max_layers=2)
    start = rules.choice(rules.start(size=8))
    assert str(start.state) == "1:C(64,1,1)@8x0"
    assert rules.choice(start) == start
    ended = rules.choice(rules.step(start, Termination.SOFTMAX))
    assert ended.state == State(depth=1, layer=Termination.SOFTMAX, size_bin=8)


def learnt(estimates: dict[str, float]) -> OptunaStrategy:
    """A greedy agent over two networks that knows what these reached in an earlier campaign."""
    some_strategy = strategy(two_networks, schedule="0.0:1")
    for number, (which, estimate) in enumerate(estimates.items()):
        candidate = Candidate(
            number=number, seed=1, parameters={"which": which}, num_parameters=1, num_layers=1, macs=1
        )
        ended = Outcome(
            candidate=number,
            attempt=0,
            state=CandidateState.FINISHED,
            reason=Reason.FULL_BUDGET,
            estimate=estimate,
            spread=0.0,
        )
        some_strategy.learn(candidate, ended)
    assert isinstance(some_strategy, OptunaStrategy)
    return some_strategy


def test_candidates_of_an_earlier_campaign_teach_it_too() -> None:
    some_agent = learnt({"a": 20.0, "b": 90.0})._sampling
    assert isinstance(some_agent, Agent)
    worse, better = some_agent.values("which", TWO, before=())
    assert worse < 0.5 < better


def test_a_network_of_an_earlier_campaign_is_not_trained_again() -> None:
    candidate = learnt({"b": 90.0}).ask(0)
    assert candidate.parameters == {"which": "a"}
    assert candidate.redraws > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"schedule": "1.0:20, 1.5:20"},
            "[search] metaqnn: schedule = '1.0:20, 1.5:20' is not allowed: Value error, step '1.5:20' is not "
            "epsilon:candidates with an epsilon from 0 to 1 and at least one candidate; write steps as 1.0:20, "
            "0.5:10, 0.1:10",
        ),
        (
            {"counts": "all"},
            "[search] metaqnn: counts = 'all' is not allowed: Input should be 'scaled' or 'exact'",
        ),
        (
            {"learning_rate": 0.0},
            "[search] metaqnn: learning_rate = 0.0 is not allowed: Input should be greater than 0",
        ),
        ({"epsilon": 0.5}, "[search] metaqnn: unknown option 'epsilon'; known are"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        strategy(**options)
    assert str(caught.value).startswith(message)
