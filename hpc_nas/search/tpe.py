"""The strategy `tpe`: draws where good candidates are dense and bad ones sparse (Bergstra et al. 2011)."""

from __future__ import annotations

from typing import Annotated

from optuna.samplers import TPESampler
from pydantic import Field

from hpc_nas.search.objectives import ACCURACIES, AccuracyName
from hpc_nas.search.sampling import Memoryless, Sampling, SearchContext

__all__ = ["tpe"]

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


def tpe(
    context: SearchContext,
    *,
    n_startup_trials: Annotated[int, Field(ge=0, le=1_000_000)] = 10,
    n_ei_candidates: Positive = 24,
    constant_liar: bool = True,
    ranking: AccuracyName = "estimate",
) -> Sampling:
    """Optuna's TPESampler, each parameter on its own: parameters come and go with the depth of a network.

    The first `n_startup_trials` candidates are random. `constant_liar` counts running candidates as bad ones,
    so that trainers that ask at the same time do not get near-copies. `ranking`: good ones are those of the highest
    `estimate`, or of the highest estimate less its spread (`pessimistic`).
    """
    return Memoryless(
        lambda seed: TPESampler(
            seed=seed,
            n_startup_trials=n_startup_trials,
            n_ei_candidates=n_ei_candidates,
            constant_liar=constant_liar,
            multivariate=False,
        ),
        objectives=(ACCURACIES[ranking],),
    )
