"""Search strategies: which candidate comes next, given how the earlier ones ended."""

from hpc_nas.search.registry import make_strategy
from hpc_nas.search.sampling import SearchContext
from hpc_nas.search.strategy import Strategy, Supply

__all__ = ["SearchContext", "Strategy", "Supply", "make_strategy"]
