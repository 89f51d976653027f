"""`make bench-search`: every strategy and every space in real campaigns, and what ask and tell cost; one report.

Everything is kept after each campaign: stopped at any time (Ctrl-C, --max-minutes), it goes on where it was when it is
started again. A campaign that results.json already holds with the same settings is not run again (--force).
"""

from __future__ import annotations

from typing import Any

from benchmarks.bench.command import RESULTS_DIR, Run, Workspace, add_work, parse, parser_of, start
from benchmarks.bench.environment import describe_environment, measured
from benchmarks.search_bench.campaigns import measure
from benchmarks.search_bench.costs import measure_costs, measure_draw
from benchmarks.search_bench.plans import FULL, PARTS, QUICK, Plan, plans
from benchmarks.search_bench.report import write_report
from benchmarks.search_bench.simulated import SIMULATED, simulate
from benchmarks.search_bench.values import Costs, DrawCost, SearchResults, Simulated
from hpc_nas.search.registry import STRATEGIES
from hpc_nas.spaces.registry import SPACES

COSTS, SIMULATIONS = "costs", "simulated"
ALL_PARTS = (*PARTS, COSTS, SIMULATIONS)
NO_COST = ("grid", "given")  # another space, and no choice at all
NO_IMAGES = ("lstm",)


def main() -> int:
    """Measure what is missing, then write report and figures; 1 if a campaign could not be measured."""
    parser = parser_of(__doc__, output=RESULTS_DIR / "search", parts=ALL_PARTS)
    add_work(parser)
    options = parse(parser)
    run = Run(options, SearchResults)
    chosen, quick = run.chosen(ALL_PARTS), options.quick
    if COSTS in chosen and run.is_due(COSTS, known=bool(run.results.costs)):
        conditions, (costs, draws) = measured(COSTS, lambda: _costs(quick=quick))
        _keep(run, costs=costs, draws=draws, cost_conditions=conditions)
    if SIMULATIONS in chosen and run.is_due(SIMULATIONS, known=bool(run.results.simulated)):
        _, simulated = measured(SIMULATIONS, lambda: _simulated(quick=quick))
        _keep(run, simulated=simulated)
    with run.workspace() as workspace:
        for plan in plans(QUICK if quick else FULL):
            if plan.part in chosen:
                with run.measuring(plan.name):
                    _campaign(run, plan, workspace=workspace)
    return run.end(write_report(run.results, run.output, notice=options.notice))


def _campaign(run: Run[SearchResults], plan: Plan, *, workspace: Workspace) -> None:
    known = run.results.campaigns.get(plan.name)
    if run.is_due(plan.name, known=known is not None and known.plan == plan):
        found = measure(plan, run_dir=workspace.new_run_dir(plan.name))
        _keep(run, campaigns={**run.results.campaigns, plan.name: found})


def _keep(run: Run[SearchResults], **update: Any) -> None:
    run.keep(run.results.changed(environment=describe_environment(), **update))


def _costs(*, quick: bool) -> tuple[tuple[Costs, ...], tuple[DrawCost, ...]]:
    numbers, count = ((20,), 5) if quick else ((100, 1000, 10000), 50)
    costs: list[Costs] = []
    for strategy in (name for name in STRATEGIES if name not in NO_COST):
        print(f"costs: {strategy}", flush=True)
        costs += measure_costs(strategy, numbers=numbers, count=count)
    draws = tuple(measure_draw(space, count=count) for space in SPACES if space not in NO_IMAGES)
    return tuple(costs), draws


def _simulated(*, quick: bool) -> tuple[Simulated, ...]:
    return tuple(
        simulate(label, spreads=spreads, num_candidates=8 if quick else count, num_seeds=2 if quick else 20)
        for spreads in ("honest", "blind")
        for count in (40, 100)
        for label in SIMULATED
    )


if __name__ == "__main__":
    start(main)
