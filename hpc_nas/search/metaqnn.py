"""The strategy `metaqnn`: Q-learning with experience replay, ever less at random (MetaQNN; Baker et al. 2016).

After each new candidate the agent learns from a sample of all that it remembers, as in arXiv 1611.02167, section 4.3;
its defaults are those of that section. It walks through any define-by-run space: see `q_states` for what
a state is there, and `discrete` for what an action is.

What a candidate is worth: estimate / 100, for stopped ones too; a failed one 0, so that the agent learns to leave
out what breaks (the authors' code forgets it); a cancelled one, or one without an estimate, is not remembered.
A network that was drawn before is drawn again instead of trained again, as with every strategy. In the paper the agent
also learns from each such repetition; here it does not: what it knows follows from the candidates' ends alone, in their
order. Trajectories in flight are no part of it, and a resumed campaign's agent knows the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from pydantic import AfterValidator, Field

from hpc_nas.search.discrete import Value, actions_of
from hpc_nas.search.epsilon import PUBLISHED_SCHEDULE, EpsilonSchedule, checked_schedule
from hpc_nas.search.independent import IndependentSampler
from hpc_nas.search.q_learning import Experience, QLearner, Step, epsilon_greedy
from hpc_nas.search.q_states import Drawn, states_of
from hpc_nas.search.sampling import Sampling, SearchContext
from hpc_nas.values import State

__all__ = ["Agent", "epsilon_schedule", "metaqnn"]

_REPLAY = 0x51  # the stream of random numbers that replays take, apart from those of draws and candidates

Counts = Literal["scaled", "exact"]


def metaqnn(
    context: SearchContext,
    *,
    schedule: Annotated[str, AfterValidator(checked_schedule)] = PUBLISHED_SCHEDULE,
    counts: Counts = "scaled",
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01,
    discount: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0,
    initial_value: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5,
    replay: Annotated[int, Field(ge=1, le=1_000_000)] = 100,
    num_bins: Annotated[int, Field(ge=2, le=1000)] = 10,
) -> Agent:
    """MetaQNN's agent.

    `schedule` says how many candidates are drawn at each epsilon: as it stands (`counts = "exact"`; then the last
    epsilon goes on), or in these shares of the campaign's candidates. `replay` is the number of remembered
    trajectories that each new candidate has the agent learn from, 100 in the paper and 128 in the authors' code.
    """
    return Agent(
        context,
        schedule=epsilon_schedule(schedule, counts=counts, num_candidates=context.num_candidates),
        learner=QLearner(learning_rate=learning_rate, discount=discount, initial_value=initial_value),
        replay=replay,
        num_bins=num_bins,
    )


def epsilon_schedule(
    schedule: str = PUBLISHED_SCHEDULE, *, counts: Counts = "scaled", num_candidates: int
) -> EpsilonSchedule:
    """The schedule that these options of the strategy give a campaign of so many candidates."""
    steps = EpsilonSchedule.parse(schedule)
    return steps.scaled_to(num_candidates) if counts == "scaled" else steps


class Agent(Sampling):
    """Draws by epsilon and Q; learns from each candidate that ends."""

    def __init__(
        self,
        context: SearchContext,
        *,
        schedule: EpsilonSchedule,
        learner: QLearner,
        replay: int,
        num_bins: int,
    ) -> None:
        self._seed = context.seed
        self._schedule = schedule
        self._learner = learner
        self._replay = replay
        self._num_bins = num_bins
        self._states = states_of(context.space, context.problem, num_bins=num_bins)

    def epsilon_of(self, number: int) -> float:
        """The share of random actions in the draw of the candidate of this number."""
        return self._schedule.epsilon_of(number)

    def values(
        self, name: str, distribution: BaseDistribution, *, before: Sequence[Drawn] = ()
    ) -> Sequence[float]:
        """Q of each action of the parameter, as it is drawn after those `before` it."""
        count = actions_of(distribution, num_bins=self._num_bins).count
        return self._learner.values(self._states.state(name, distribution, before=before), num_actions=count)

    def choose(
        self,
        name: str,
        distribution: BaseDistribution,
        *,
        before: Sequence[Drawn],
        epsilon: float,
        generator: np.random.Generator,
    ) -> Value:
        """A value for the parameter; only what its distribution holds is ever chosen."""
        values = self.values(name, distribution, before=before)
        action = epsilon_greedy(values, epsilon=epsilon, generator=generator)
        return actions_of(distribution, num_bins=self._num_bins).draw(action, generator=generator)

    def sampler(self, seed: int) -> BaseSampler:
        return _Walk(self, generator=np.random.default_rng(seed))

    def told(self, trial: FrozenTrial) -> None:
        reward, steps = _reward(trial), self._steps(trial)
        if reward is None or not steps:
            return
        self._learner.remember(Experience(steps=steps, reward=reward))
        stream = np.random.SeedSequence(self._seed, spawn_key=(_REPLAY, self._learner.num_remembered))
        self._learner.replay(self._replay, generator=np.random.default_rng(stream))

    def _steps(self, trial: FrozenTrial) -> tuple[Step, ...]:
        """The choices of the walk that ended; what left no choice is no step, and the sampler is not asked."""
        drawn, steps = _drawn(trial), []
        for index, (name, distribution, value) in enumerate(drawn):
            if not distribution.single():
                actions = actions_of(distribution, num_bins=self._num_bins)
                state = self._states.state(name, distribution, before=drawn[:index])
                steps.append(Step(state=state, num_actions=actions.count, action=actions.action_of(value)))
        return tuple(steps)


class _Walk(IndependentSampler):
    """One draw of the agent's."""

    def __init__(self, agent: Agent, *, generator: np.random.Generator) -> None:
        self._agent = agent
        self._generator = generator

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Value:
        return self._agent.choose(
            param_name,
            param_distribution,
            before=_drawn(trial),
            epsilon=self._agent.epsilon_of(trial.user_attrs["drawn_for"]),
            generator=self._generator,
        )


def _drawn(trial: FrozenTrial) -> list[Drawn]:
    """In the order in which they were asked for, which a restored trial's distributions have too."""
    return [Drawn(name, held, trial.params[name]) for name, held in trial.distributions.items()]


def _reward(trial: FrozenTrial) -> float | None:
    """0 to 1; None for a candidate that says nothing of its architecture."""
    if trial.state is TrialState.COMPLETE:
        return min(max(float(trial.values[0]) / 100.0, 0.0), 1.0)
    failed = str(trial.user_attrs["outcome"]).partition(":")[0] == State.FAILED
    return 0.0 if failed else None
