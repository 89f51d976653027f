"""The strategy `grid`: every network of a finite space once, in random order, until none is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, BruteForceSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from hpc_nas.errors import SpaceError
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.sampling import Sampling, SearchContext
from hpc_nas.values import Candidate

__all__ = ["grid"]


def grid(context: SearchContext) -> Sampling:
    """Optuna's BruteForceSampler. It has no options.

    A candidate counts as visited from when it is drawn, whatever becomes of it; so do draws that collapse or are
    beyond the limits, and candidates of earlier campaigns. The order follows from the seed. Raises SpaceError for a
    space that is not finite.
    """
    # Its result is not used: a parameter without steps is found at validation.
    OptunaStrategy(_Grid(), context=context).ask(0)
    return _Grid()


class _Grid(Sampling):
    max_guided_draws = math.inf  # a random draw would repeat a network; the sampler never insists on one

    def __init__(self) -> None:
        self._num_seen = 0
        self._is_exhausted = False

    def attach(self, study: Study) -> None:
        self._study = study

    def sampler(self, seed: int) -> BaseSampler:
        return _FiniteSampler(seed=seed)

    def told(self, trial: FrozenTrial) -> None:
        """How a candidate ended says nothing about which are left."""

    def check(self, trial: Trial) -> None:
        # Also those of one value, which nobody samples.
        for name, distribution in trial.distributions.items():
            _require_steps(name, distribution)

    def num_repeated(self, candidate: Candidate) -> int:
        """All: rejected draws are in no ledger, and what is left depends on them."""
        return candidate.redraws

    @property
    def is_exhausted(self) -> bool:
        trials = self._study.get_trials(deepcopy=False)
        if len(trials) > self._num_seen:
            self._num_seen = len(trials)
            self._is_exhausted = _is_last(trials[-1], study=self._study)
        return self._is_exhausted


class _FiniteSampler(BruteForceSampler):
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        _require_steps(param_name, param_distribution)
        return super().sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Optuna's would stop `study.optimize`, which is not in use."""


def _require_steps(name: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        raise SpaceError(
            f"[search] grid needs finitely many networks, but parameter {name!r} is any number from "
            f"{distribution.low:g} to {distribution.high:g}; give it a step or a list of choices in the space, or use "
            "another strategy"
        )


def _is_last(trial: FrozenTrial, *, study: Study) -> bool:
    """Has every network been drawn, now that this one has? Those that are running count.

    The sampler itself knows: once a trial has ended after which nothing is left, it stops the study.
    """
    try:
        BruteForceSampler().after_trial(study, trial, TrialState.FAIL, None)
    except RuntimeError:  # a study can't be stopped outside of `study.optimize`
        return True
    return False
