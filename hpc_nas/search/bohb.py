"""The strategy `bohb`: TPE over the highest budget that tells enough, and Hyperband's brackets (Falkner et al. 2018).

The brackets are the estimator preset `hyperband`, which a campaign with this strategy has without being told. The
model is the paper's (arXiv 1807.01774, Algorithm 2) but for this:

- Optuna's TPE with each parameter on its own, since parameters come and go with the depth of a network; the paper has
  one density over all of them, with a least bandwidth. So what a budget needs is a fixed number of observations, not
  the number of parameters and some.
- The best 10 % of the observations count as good, 25 at most, as in Optuna; 15 % in the paper.
- A candidate that runs counts as a bad one until it has shown something (a constant liar), so that trainers that ask at
  the same time do not get near-copies; in the paper only what has ended counts. So does a draw that collapsed, until
  one has not.
- The budgets are the epochs at which candidates do pause: the first validation at or after a rung.
- Failed candidates are passed over.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from pydantic import Field

from hpc_nas.search.budgets import Budgets
from hpc_nas.search.independent import IndependentSampler
from hpc_nas.search.objectives import ACCURACIES, AccuracyName, Objective
from hpc_nas.search.sampling import Sampling, SearchContext

__all__ = ["bohb"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


def bohb(
    context: SearchContext,
    *,
    min_observations: Positive = 10,
    random_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 1 / 3,
    n_ei_candidates: Positive = 64,
    ranking: AccuracyName = "estimate",
) -> Sampling:
    """A budget is modelled once `min_observations` candidates have been seen at it; the highest such one is used.

    `random_fraction` of the draws are random (the paper's rho), and all of them until there is a model.
    `n_ei_candidates` is the paper's N_s. `ranking` as in `tpe`; what is known of a paused candidate is measured, and
    has no spread. `eta` and `min_epochs` stand under [estimator.settings].
    """
    return _BOHB(
        min_observations=min_observations,
        random_fraction=random_fraction,
        n_ei_candidates=n_ei_candidates,
        objective=ACCURACIES[ranking],
    )


class _BOHB(Sampling):
    def __init__(
        self, *, min_observations: int, random_fraction: float, n_ei_candidates: int, objective: Objective
    ) -> None:
        self.objectives = (objective,)
        self._min_observations = min_observations
        self._random_fraction = random_fraction
        self._n_ei_candidates = n_ei_candidates
        self._budgets = Budgets()
        self._rejected: list[Trial] = []

    def sampler(self, seed: int) -> BaseSampler:
        model = self._budgets.highest(min_observations=self._min_observations)
        if model is None or np.random.default_rng(seed).random() < self._random_fraction:
            return RandomSampler(seed=seed)
        tpe = TPESampler(
            seed=seed,
            n_startup_trials=0,
            n_ei_candidates=self._n_ei_candidates,
            constant_liar=True,
            multivariate=False,
        )
        return _SamplerOfModel(tpe, model=model)

    def rejected(self, trial: Trial) -> None:
        self._rejected.append(trial)
        self._budgets.start(trial)

    def started(self, trial: Trial) -> None:
        while self._rejected:
            self._budgets.leave(self._rejected.pop())
        self._budgets.start(trial)

    def paused(self, trial: Trial, *, epochs: float, accuracy: float) -> None:
        self._budgets.observe(trial, epochs=epochs, value=accuracy)

    def told(self, trial: FrozenTrial) -> None:
        if trial.state is TrialState.COMPLETE:
            self._budgets.observe(trial, epochs=trial.user_attrs["epochs"], value=trial.values[0])
        else:
            self._budgets.leave(trial)


class _SamplerOfModel(IndependentSampler):
    """Samples a trial of one study by what another one knows."""

    def __init__(self, sampler: BaseSampler, *, model: Study) -> None:
        self._sampler = sampler
        self._model = model

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # Without its number, which is that of another trial in the model.
        stranger = create_trial(
            state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions
        )
        return self._sampler.sample_independent(self._model, stranger, param_name, param_distribution)
