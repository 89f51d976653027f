"""The strategy `hyperband`: random draws, and the brackets of Hyperband (Li et al., JMLR 2018; arXiv 1603.06560).

The brackets are the estimator preset of the same name, which a campaign with this strategy has without being told.
"""

from __future__ import annotations

from hpc_nas.search.random import random_search
from hpc_nas.search.sampling import Sampling, SearchContext

__all__ = ["hyperband"]


def hyperband(context: SearchContext) -> Sampling:
    """Draws as `random`. It has no options: `eta` and `min_epochs` stand under [estimator.settings]."""
    return random_search(context)
