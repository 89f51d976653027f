"""Q-learning on a table of state-action values: the update, the choice, the replay of remembered trajectories.

Sources: Baker et al., arXiv 1611.02167, equation 3 (update) and section 4.3 (in temporally reversed order; 100
trajectories replayed after each new one); their code, which begins with values of 0.5 and breaks ties by chance.
No Optuna: a state is any hashable value, an action its position among those that the state offers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Experience", "QLearner", "Step", "epsilon_greedy"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action taken: in which state, and at which position among how many."""

    state: Hashable
    num_actions: int
    action: int


@dataclass(frozen=True, kw_only=True)
class Experience:
    """A trajectory from the start to its end, and the reward at the end: 0 to 1."""

    steps: tuple[Step, ...]
    reward: float


class QLearner:
    """Values of actions by state, and the memory they are learned from."""

    def __init__(self, *, learning_rate: float, discount: float, initial_value: float) -> None:
        self._learning_rate = learning_rate
        self._discount = discount
        self._initial_value = initial_value
        self._values: dict[Hashable, list[float]] = {}
        self._memory: list[tuple[tuple[tuple[list[float], int], ...], float]] = []

    def values(self, state: Hashable, *, num_actions: int) -> Sequence[float]:
        """Q(state, action) of each action; the initial value where nothing is known."""
        return self._values.get(state) or [self._initial_value] * num_actions

    @property
    def num_remembered(self) -> int:
        return len(self._memory)

    def remember(self, experience: Experience) -> None:
        """Keep it for replays; no value changes."""
        # With the lists of values themselves, so that a replay looks nothing up.
        trajectory = tuple((self._known_values(step), step.action) for step in experience.steps)
        self._memory.append((trajectory, experience.reward))

    def replay(self, count: int, *, generator: np.random.Generator) -> None:
        """Update by so many remembered experiences, drawn with repetition. The cost is that of `count` updates."""
        for index in generator.integers(len(self._memory), size=count).tolist():
            self._update(*self._memory[index])

    def _known_values(self, step: Step) -> list[float]:
        return self._values.setdefault(step.state, [self._initial_value] * step.num_actions)

    def _update(self, trajectory: tuple[tuple[list[float], int], ...], reward: float) -> None:
        """Equation 3 for each transition, the last one first: only that one is rewarded."""
        rate, target = self._learning_rate, reward
        for values, action in reversed(trajectory):
            values[action] += rate * (target - values[action])
            target = self._discount * max(values)


def epsilon_greedy(values: Sequence[float], *, epsilon: float, generator: np.random.Generator) -> int:
    """Any action with probability epsilon, else one of the largest value; ties are broken by chance."""
    if generator.random() < epsilon:
        return int(generator.integers(len(values)))
    largest = max(values)
    best = [action for action, value in enumerate(values) if value == largest]
    return best[int(generator.integers(len(best)))]
