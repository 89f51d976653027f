"""The agent's campaigns among the measured ones, by preset, as its figure wants them."""

from __future__ import annotations

from typing import Any

from hpc_nas.search.metaqnn import epsilon_schedule
from search_bench.epsilon import AgentRun, epsilon_figures
from search_bench.plans import EPSILON
from search_bench.values import Measured, Results

__all__ = ["agent_figures"]


def agent_figures(results: Results) -> dict[str, Any]:
    """What `epsilon_figures` says of them; empty where none was measured."""
    groups: dict[str, list[AgentRun]] = {}
    for one in results.campaigns.values():
        if one.plan.part == EPSILON:
            groups.setdefault(f"preset {one.plan.preset}", []).append(_run(one))
    return epsilon_figures(groups)


def _run(one: Measured) -> AgentRun:
    num_candidates = int(one.plan.settings["campaign.num_candidates"])
    schedule = epsilon_schedule(num_candidates=num_candidates)
    return AgentRun(
        epsilons=tuple(schedule.epsilon_of(number) for number in one.numbers),
        accuracies=one.accuracies,
        estimates=one.estimates,
        num_left_out=num_candidates - len(one.numbers),
    )
