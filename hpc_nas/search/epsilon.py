"""Schedules of epsilon: how many candidates an agent draws at each share of random actions."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["PUBLISHED_SCHEDULE", "EpsilonSchedule", "EpsilonStep", "checked_schedule"]

PUBLISHED_SCHEDULE = (
    "1.0:1500, 0.9:100, 0.8:100, 0.7:100, 0.6:150, 0.5:150, 0.4:150, 0.3:150, 0.2:150, 0.1:150"
)
"""MetaQNN's: 2,700 candidates, more than half of them at random (arXiv 1611.02167, section 4.3, Table 2)."""

_STEP = re.compile(r"\s*(\d*\.?\d+)\s*:\s*(\d+)\s*")


@dataclass(frozen=True, kw_only=True)
class EpsilonStep:
    """So many candidates in a row, each of whose actions is random with probability `epsilon`."""

    epsilon: float
    num_candidates: int


@dataclass(frozen=True)
class EpsilonSchedule:
    """Steps in the order in which candidates are drawn; the last one never ends."""

    steps: tuple[EpsilonStep, ...]

    @classmethod
    def parse(cls, text: str) -> EpsilonSchedule:
        """Read `epsilon:candidates, ...`, as `1.0:20, 0.5:10, 0.1:10`. Raises ValueError."""
        steps = []
        for part in text.split(","):
            match = _STEP.fullmatch(part)
            if match is None or not 0.0 <= float(match[1]) <= 1.0 or int(match[2]) < 1:
                raise ValueError(
                    f"step {part.strip()!r} is not epsilon:candidates with an epsilon from 0 to 1 and at least "
                    "one candidate; write steps as 1.0:20, 0.5:10, 0.1:10"
                )
            steps.append(EpsilonStep(epsilon=float(match[1]), num_candidates=int(match[2])))
        return cls(tuple(steps))

    @property
    def num_candidates(self) -> int:
        return sum(step.num_candidates for step in self.steps)

    def scaled_to(self, num_candidates: int) -> EpsilonSchedule:
        """The same shares of another number of candidates; a step may be left with none. The sum is exact."""
        total = self.num_candidates
        steps, ahead, before = [], 0, 0
        for step in self.steps:
            ahead += step.num_candidates
            end = (2 * num_candidates * ahead + total) // (2 * total)  # rounded
            steps.append(EpsilonStep(epsilon=step.epsilon, num_candidates=end - before))
            before = end
        return EpsilonSchedule(tuple(steps))

    def epsilon_of(self, number: int) -> float:
        """The epsilon at which the candidate of this number, from 0, is drawn."""
        end = 0
        for step in self.steps:
            end += step.num_candidates
            if number < end:
                return step.epsilon
        return self.steps[-1].epsilon


def checked_schedule(text: str) -> str:
    """The text itself, if `EpsilonSchedule.parse` can read it. Raises ValueError."""
    EpsilonSchedule.parse(text)
    return text
