"""By what evolving strategies compare candidates: by the estimates, or by what these may stand for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial
from scipy.special import ndtr, ndtri

__all__ = ["Ranking", "RankingName", "standings"]

LOWEST, HIGHEST = 0.0, 100.0
WIDEST = 1e4  # from here on every accuracy is equally likely

RankingName = Literal["estimate", "spread"]


class Ranking(StrEnum):
    """`estimate`: an estimate counts like a measured accuracy. `spread`: each comparison draws it anew.

    With `spread` a candidate wins as often as it is likely to be the better one, its final accuracy being normal
    about its estimate within 0 to 100 %. A measured accuracy has the spread 0 and is always drawn as it is; an
    estimate whose spread is unknown is taken at its word.
    """

    ESTIMATE = "estimate"
    SPREAD = "spread"


def standings(
    trials: Sequence[FrozenTrial], *, ranking: Ranking, generator: np.random.Generator
) -> NDArray[np.float64]:
    """The accuracy (percent) by which each of these COMPLETE trials is to be compared, once. Shape [trials]."""
    estimates = np.array([trial.values[0] for trial in trials], dtype=np.float64)
    if ranking is Ranking.ESTIMATE:
        return estimates
    known = [trial.user_attrs.get("spread") for trial in trials]
    spreads = np.array([0.0 if spread is None else spread for spread in known], dtype=np.float64)
    spreads = np.clip(np.nan_to_num(spreads), 0.0, WIDEST)
    quantiles = generator.random(len(trials))
    uncertain = spreads > 0.0
    centre = np.clip(estimates[uncertain], LOWEST, HIGHEST)
    spread = spreads[uncertain]
    low, high = ndtr((LOWEST - centre) / spread), ndtr((HIGHEST - centre) / spread)
    drawn = estimates.copy()
    drawn[uncertain] = centre + spread * ndtri(low + quantiles[uncertain] * (high - low))
    return drawn
