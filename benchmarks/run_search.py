"""`make bench-search`: every strategy and every space in real campaigns, and what ask and tell cost; one report.

Everything is kept after each campaign: stopped at any time (Ctrl-C, --max-minutes), it goes on where it was when it is
started again. A campaign that results.json already holds with the same settings is not run again (--force).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.campaigns import ROOT, CampaignFailed
from bench.environment import describe_environment
from bench.results_file import load_results_file, publish_results_file
from search_bench.campaigns import conditions, measure
from search_bench.costs import measure_costs, measure_draw
from search_bench.plans import FULL, PARTS, QUICK, Plan, plans
from search_bench.report import write_report
from search_bench.simulated import SIMULATED, simulate
from search_bench.values import Results, Simulated

from hpc_nas.errors import HpcNasError
from hpc_nas.search.registry import STRATEGIES
from hpc_nas.spaces.registry import SPACES

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "search"
QUICK_NOTICE = "A quick run, to see that everything works: its figures mean nothing."
COSTS, SIMULATIONS = "costs", "simulated"
NO_COST = ("grid", "given")  # another space, and no choice at all
NO_IMAGES = ("lstm",)


def main() -> int:
    """Measure what is missing, then write report and figures; 1 if a campaign could not be measured."""
    arguments = _parse_arguments()
    output = arguments.output or (
        Path(tempfile.mkdtemp(prefix="hpc-nas-search-quick-")) if arguments.quick else DEFAULT_OUTPUT
    )
    scale = QUICK if arguments.quick else FULL
    wanted = arguments.only or (*PARTS, COSTS, SIMULATIONS)
    until = time.monotonic() + 60 * arguments.max_minutes
    results = load_results_file(output, Results)
    results = results.model_copy(update={"environment": describe_environment()})
    if COSTS in wanted and (arguments.force or not results.costs):
        results = _costs(results, quick=arguments.quick)
        _publish(results, output)
    if SIMULATIONS in wanted and (arguments.force or not results.simulated):
        results = results.model_copy(update={"simulated": _simulated(quick=arguments.quick)})
        _publish(results, output)
    failed = []
    runs_dir = arguments.keep or Path(tempfile.mkdtemp(prefix="hpc-nas-search-"))
    for plan in [plan for plan in plans(scale) if plan.part in wanted]:
        known = results.campaigns.get(plan.name)
        if known is not None and known.plan == plan and not arguments.force:
            continue
        if time.monotonic() > until:
            print("no time left; the same command goes on", flush=True)
            break
        try:
            results = _run(plan, results, runs_dir=runs_dir)
        except (CampaignFailed, HpcNasError) as error:
            failed.append(plan.name)
            print(f"{plan.name}: not measured: {error}", file=sys.stderr, flush=True)
        _publish(results, output)
    print(f"wrote {write_report(results, output, notice=QUICK_NOTICE if arguments.quick else '')}")
    return 1 if failed else 0


def _run(plan: Plan, results: Results, *, runs_dir: Path) -> Results:
    run_dir = runs_dir / f"{plan.name}-{time.time_ns()}"
    measured = measure(plan, run_dir=run_dir)
    return results.model_copy(update={"campaigns": {**results.campaigns, plan.name: measured}})


def _costs(results: Results, *, quick: bool) -> Results:
    numbers, count = ((20,), 5) if quick else ((100, 1000, 10000), 50)
    before = conditions()
    costs = []
    for strategy in (name for name in STRATEGIES if name not in NO_COST):
        print(f"costs: {strategy}", flush=True)
        costs += measure_costs(strategy, numbers=numbers, count=count)
    draws = [measure_draw(space, count=count) for space in SPACES if space not in NO_IMAGES]
    return results.model_copy(
        update={"costs": tuple(costs), "draws": tuple(draws), "cost_conditions": before}
    )


def _simulated(*, quick: bool) -> tuple[Simulated, ...]:
    print("simulated searches", flush=True)
    return tuple(
        simulate(label, spreads=spreads, num_candidates=8 if quick else count, num_seeds=2 if quick else 20)
        for spreads in ("honest", "blind")
        for count in (40, 100)
        for label in SIMULATED
    )


def _publish(results: Results, output: Path) -> None:
    publish_results_file(results.model_dump_json(indent=1), output)


def _parse_arguments(line: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny numbers, to see that it works; not into results/"
    )
    parser.add_argument(
        "--only", action="append", choices=(*PARTS, COSTS, SIMULATIONS), help="this part; repeatable"
    )
    parser.add_argument("--output", type=Path, help=f"default: {DEFAULT_OUTPUT.relative_to(ROOT)}")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run directories of campaigns here")
    parser.add_argument("--force", action="store_true", help="measure again what has been measured")
    parser.add_argument(
        "--max-minutes",
        type=float,
        default=float("inf"),
        help="begin no campaign after this time, to go on later",
    )
    arguments = parser.parse_args(line)
    if arguments.quick and arguments.output and arguments.output.resolve() == DEFAULT_OUTPUT:
        parser.error(f"--quick does not write into {DEFAULT_OUTPUT}; name another --output")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
