"""The strategy `asha`: random draws, and the rungs of ASHA (Li et al., MLSys 2020; arXiv 1810.05934).

The rungs are the estimator preset of the same name, which a campaign with this strategy has without being told.
"""

from __future__ import annotations

from hpc_nas.search.random import random_search
from hpc_nas.search.sampling import Sampling, SearchContext

__all__ = ["asha"]


def asha(context: SearchContext) -> Sampling:
    """Draws as `random`. It has no options: `eta` and `min_epochs` stand under [estimator.settings]."""
    return random_search(context)
