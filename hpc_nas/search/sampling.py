"""How one strategy draws: a sampler of Optuna's kind for each draw, and what it remembers between draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from optuna import Study
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial

from hpc_nas.search.objectives import ESTIMATE, Objective
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.space import Space
from hpc_nas.values import Candidate

__all__ = ["Memoryless", "Sampling", "SearchContext"]


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """What a strategy may know of the campaign it is made for."""

    space: Space
    problem: AnyProblem
    seed: int
    num_candidates: int


class Sampling(ABC):
    """Chooses parameters; everything random in a draw comes from the seed of that draw.

    `objectives` are what trials are told, in this order. A sampler that chooses by earlier trials finds them in the
    study, or remembers what it needs of them in `told`, which hears of every trial in the order in which they end,
    on resume as well.
    """

    objectives: tuple[Objective, ...] = (ESTIMATE,)
    max_guided_draws: float = 20
    """After so many rejected draws for one candidate, draws are random: a sampler may insist on what collapses."""

    def attach(self, study: Study) -> None:  # noqa: B027  # most find it in each draw
        """The study of all draws, before the first of them: to look at only."""

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """For one draw, whose seed (32 bits) this is; it may be asked again for each parameter of the draw."""

    @abstractmethod
    def told(self, trial: FrozenTrial) -> None:
        """A trial has ended: COMPLETE with its values, or FAIL. Those that collapsed are not told."""

    def check(self, trial: Trial) -> None:  # noqa: B027  # most take every network
        """A network has been drawn. Raises CollapsedShape, `what: why`, to have another one drawn in its place.

        SpaceError where the sampling can't work on the space; repeats are the strategy's affair.
        """

    def rejected(self, trial: Trial) -> None:  # noqa: B027  # most find it in the study: it is RUNNING
        """A draw was rejected. Until its candidate is found it may count as a bad one; then it has no effect."""

    def started(self, trial: Trial) -> None:  # noqa: B027  # most need not know
        """A drawn or restored candidate is in flight from now on; `told` hears of its end."""

    def paused(self, trial: Trial, *, epochs: float, accuracy: float) -> None:  # noqa: B027  # as above
        """A candidate in flight was set aside after `epochs`, its best accuracy (percent) known; it may go on."""

    def num_repeated(self, candidate: Candidate) -> int:
        """How many of the rejected draws before a restored candidate must be repeated: later ones rest on them."""
        return 0

    @property
    def is_exhausted(self) -> bool:
        """Has everything been drawn that there is?"""
        return False


class Memoryless(Sampling):
    """Finds in the study whatever it needs."""

    def __init__(
        self, make_sampler: Callable[[int], BaseSampler], *, objectives: tuple[Objective, ...] = (ESTIMATE,)
    ) -> None:
        self._make_sampler = make_sampler
        self.objectives = objectives

    def sampler(self, seed: int) -> BaseSampler:
        return self._make_sampler(seed)

    def told(self, trial: FrozenTrial) -> None:
        pass
