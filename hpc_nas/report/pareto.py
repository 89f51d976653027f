"""The Pareto front: candidates that no other one beats in both its estimate and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_nas.report.rows import ranking

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

__all__ = ["Cost", "FrontMember", "not_dominated", "pareto_front", "searches_for_front"]

_MULTI_OBJECTIVE = ("nsga2",)


class Cost(StrEnum):
    """What a network costs, by the name of its field in a record."""

    MACS = "macs"
    PARAMETERS = "num_parameters"


@dataclass(frozen=True, kw_only=True)
class FrontMember:
    """A candidate on the front of at least one cost.

    `estimate` and its `spread` in percent (0: measured, NaN: unknown), `macs` of one sample, `fronts`: the costs for
    which no other candidate has at least its estimate for at most its cost, one of them strictly.
    """

    candidate: int
    estimate: float
    spread: float
    macs: int
    num_parameters: int
    fronts: tuple[Cost, ...]


def pareto_front(record: CampaignRecord) -> tuple[FrontMember, ...]:
    """The fronts of all finished and stopped candidates, the highest estimate first; estimates at their word."""
    rows = ranking(record)
    on_front = {cost: not_dominated(rows["estimate"], rows[cost]) for cost in Cost}
    members = []
    for place, row in enumerate(rows):
        fronts = tuple(cost for cost in Cost if on_front[cost][place])
        if fronts:
            members.append(
                FrontMember(
                    candidate=int(row["number"]),
                    estimate=float(row["estimate"]),
                    spread=float(row["spread"]),
                    macs=int(row["macs"]),
                    num_parameters=int(row["num_parameters"]),
                    fronts=fronts,
                )
            )
    return tuple(members)


def not_dominated(estimates: ArrayLike, costs: ArrayLike) -> NDArray[np.bool_]:
    """Which of these have no other of at least their estimate for at most their cost, one of them strictly.

    Two finite rows of the same length; equals stand or fall together.
    """
    gain, cost = np.asarray(estimates, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    stands = np.zeros(len(gain), dtype=bool)
    best, cost_of_best = -np.inf, np.inf
    for place in np.lexsort((-gain, cost)):  # the cheapest first, of equal cost the best
        stands[place] = gain[place] > best or (gain[place] == best and cost[place] == cost_of_best)
        if gain[place] > best:
            best, cost_of_best = gain[place], cost[place]
    return stands


def searches_for_front(record: CampaignRecord) -> bool:
    """Is the front what the campaign's strategy was after?"""
    return record.configuration["search"]["name"] in _MULTI_OBJECTIVE
