"""`make bench-estimator`: replays every rule on all recorded curves, and writes one report with its plots.

What results.json already holds for the same curves, rule, orders and code is not replayed again, and every rule is
saved as soon as it is done: an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.environment import background_cpu_percent, describe_environment
from bench.forecast_speed import find_curves
from estimator_bench.contenders import Contender, contenders
from estimator_bench.jobs import Job, Settings, forecast_jobs, replay_jobs
from estimator_bench.measure import front_of
from estimator_bench.plots import draw_plots
from estimator_bench.pool import do_jobs
from estimator_bench.report import write_report
from estimator_bench.sets import ROOT, BenchSet, find_sets, sampled
from estimator_bench.speed import FULL, QUICK, measure_speed
from estimator_bench.store import Results, RunInfo, key_of, load_results, save_results, source_of
from estimator_bench.values import SetInfo

from hpc_nas.campaign.provenance import source_commit

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "estimator"
QUICK_SETS = ("fashion_mnist_2000_random_cnn", "ties_mlp_digits")
QUICK_CANDIDATES = 30
QUICK_SETTINGS = Settings(num_orders=1, sample=QUICK_CANDIDATES, forecast_sample=24)
QUICK_NOTICE = "A quick run, to see that everything works: its figures mean nothing."
FORECASTS, SPEED = "forecasts", "speed"


@dataclass(slots=True)
class _Benchmark:
    """The results so far, and where they are kept."""

    output: Path
    results: Results
    source: str
    num_measured: int = 0
    failures: list[str] = field(default_factory=list)

    def keep(self, results: Results) -> None:
        self.results = results
        self.num_measured += 1
        save_results(results, self.output)


def main() -> int:
    """Measure what is missing, then write report and plots; 1 if something could not be measured."""
    arguments = _parse_arguments()
    output = arguments.output or (_temporary() if arguments.quick else DEFAULT_OUTPUT)
    found, skipped = find_sets()
    chosen = _chosen_sets(found, arguments)
    rules = [item for item in contenders() if not arguments.only or item.name in arguments.only]
    results = load_results(output).changed(skipped=skipped)
    benchmark = _Benchmark(output=output, results=_described(results, chosen), source=source_of())
    started, clock = datetime.now(UTC), time.monotonic()
    background = background_cpu_percent()
    try:
        _measure_speed(benchmark, arguments)
        _measure_rules(benchmark, chosen, rules, arguments)
    except KeyboardInterrupt:
        benchmark.failures.append("interrupted; the same command goes on from here")
    run = RunInfo(
        source=benchmark.source,
        commit=source_commit(),
        environment=describe_environment(),
        arguments=" ".join(sys.argv[1:]),
        started=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - clock, 1),
        background_cpu_percent=background,
        num_measured=benchmark.num_measured,
    )
    _publish(benchmark, run, notice=QUICK_NOTICE if arguments.quick else "")
    for failure in benchmark.failures:
        print(f"not measured: {failure}", file=sys.stderr)
    return 1 if benchmark.failures else 0


def _measure_speed(benchmark: _Benchmark, arguments: argparse.Namespace) -> None:
    if arguments.only and SPEED not in arguments.only:
        return
    path = find_curves(ROOT, configured=os.environ.get("HPC_NAS_TEST_DATA"))
    if path is None:
        skipped = {**benchmark.results.skipped, SPEED: "no recorded curves of LEMUR; set HPC_NAS_TEST_DATA"}
        benchmark.results = benchmark.results.changed(skipped=skipped)
        return
    configuration = QUICK if arguments.quick else FULL
    key = key_of(benchmark.source, [dict(configuration), describe_environment()])
    known = benchmark.results.speed
    if known is None or known.conditions.key != key or arguments.force:
        benchmark.keep(benchmark.results.changed(speed=measure_speed(path, configuration, key=key)))


def _measure_rules(
    benchmark: _Benchmark, sets: list[BenchSet], rules: list[Contender], arguments: argparse.Namespace
) -> None:
    settings = QUICK_SETTINGS if arguments.quick else Settings()
    if arguments.full:
        settings = replace(settings, sample=0)
    if arguments.orders:
        settings = replace(settings, num_orders=arguments.orders)
    settings = replace(settings, force=arguments.force)
    jobs: list[Job] = []
    for part in sets:
        jobs += replay_jobs(
            part, rules, results=benchmark.results, settings=settings, source=benchmark.source
        )
        if not arguments.only or FORECASTS in arguments.only:
            jobs += forecast_jobs(part, results=benchmark.results, settings=settings, source=benchmark.source)
    if not jobs:
        print("nothing has changed since it was measured (--force)")
        return
    benchmark.failures += do_jobs(
        jobs,
        num_processes=arguments.processes or os.cpu_count() or 1,
        on_done=lambda job, done, cpu_s: benchmark.keep(job.finish(benchmark.results, done, cpu_s)),
    )


def _publish(benchmark: _Benchmark, run: RunInfo, *, notice: str) -> None:
    if run.num_measured:
        runs = [known for known in benchmark.results.runs if known.source in benchmark.results.sources]
        benchmark.results = benchmark.results.changed(runs=(*runs, run))
    save_results(benchmark.results, benchmark.output)
    figures = draw_plots(benchmark.results, benchmark.output)
    path = write_report(benchmark.results, benchmark.output, figures=figures, notice=notice)
    print(f"wrote {path}")


def _described(results: Results, sets: list[BenchSet]) -> Results:
    """With what the report says about each set."""
    infos = {
        part.curves.name: SetInfo(
            group=part.group,
            content=part.content,
            num_candidates=len(part.curves),
            num_left_out=part.num_left_out,
            num_observations=len(part.curves.epochs),
            max_epochs=part.curves.max_epochs,
            knows_train_loss=part.curves.knows_train_loss,
            front=front_of(part.curves),
        )
        for part in sets
    }
    return results.changed(sets={**results.sets, **infos})


def _chosen_sets(found: list[BenchSet], arguments: argparse.Namespace) -> list[BenchSet]:
    names = [part.curves.name for part in found]
    for name in arguments.sets or ():
        if name not in names:
            raise SystemExit(f"--sets {name}: no such set; there are: {', '.join(names)}")
    wanted = arguments.sets or (QUICK_SETS if arguments.quick else names)
    sets = [part for part in found if part.curves.name in wanted]
    if arguments.quick:
        sets = [replace(part, curves=sampled(part.curves, num_candidates=QUICK_CANDIDATES)) for part in sets]
    return sets


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="hpc-nas-bench-estimator-quick-"))


def _parse_arguments() -> argparse.Namespace:
    names = [item.name for item in contenders()]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rules:\n  " + "\n  ".join([*names, FORECASTS, SPEED]),
    )
    parser.add_argument(
        "--quick", action="store_true", help="two sets, 30 candidates, into a temporary directory"
    )
    parser.add_argument(
        "--full", action="store_true", help="SciPy's rules on all candidates too: an hour or more"
    )
    parser.add_argument("--force", action="store_true", help="measure again what has been measured")
    parser.add_argument(
        "--only",
        action="append",
        choices=[*names, FORECASTS, SPEED],
        metavar="RULE",
        help="repeatable; see below",
    )
    parser.add_argument("--sets", action="append", metavar="NAME", help="only this set; repeatable")
    parser.add_argument(
        "--orders", type=int, default=0, help="of all rules that look at others (10, slow ones 3)"
    )
    parser.add_argument("--processes", type=int, default=0, help="how many work (one per core)")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/estimator")
    arguments = parser.parse_args()
    if arguments.orders < 0 or arguments.processes < 0:
        parser.error("--orders and --processes: use 1 or more")
    if arguments.quick and arguments.output and arguments.output.resolve() == DEFAULT_OUTPUT:
        parser.error(f"--quick does not write into {DEFAULT_OUTPUT}; name another --output")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
