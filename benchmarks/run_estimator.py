"""`make bench-estimator`: replays every rule on all recorded curves, and writes one report with its plots.

What results.json already holds for the same curves, rule, orders and code is not replayed again, and every rule is
saved as soon as it is done: an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace

from benchmarks.bench.command import GOES_ON, RESULTS_DIR, Run, parse, parser_of, start
from benchmarks.bench.environment import DATA_VARIABLE, data_dir, describe_environment
from benchmarks.estimator_bench.contenders import contenders
from benchmarks.estimator_bench.jobs import (
    Job,
    Settings,
    forecast_jobs,
    key_of,
    replay_jobs,
    source_of,
)
from benchmarks.estimator_bench.measure import front_of
from benchmarks.estimator_bench.plots import draw_plots
from benchmarks.estimator_bench.pool import do_jobs
from benchmarks.estimator_bench.report import write_report
from benchmarks.estimator_bench.sets import LEMUR, BenchSet, find_sets, sampled
from benchmarks.estimator_bench.speed import FULL, QUICK, measure_speed
from benchmarks.estimator_bench.values import EstimatorResults, RunInfo, SetInfo

QUICK_SETS = ("fashion_mnist_2000_random_cnn", "ties_mlp_digits")
QUICK_CANDIDATES = 30
QUICK_SETTINGS = Settings(num_orders=1, sample=QUICK_CANDIDATES, forecast_sample=24)
FORECASTS, SPEED = "forecasts", "speed"
RULES = [item.name for item in contenders()]
PARTS = [*RULES, FORECASTS, SPEED]


def main() -> int:
    """Measure what is missing, then write report and plots; 1 if something could not be measured."""
    options = _options()
    run = _Benchmark(options, EstimatorResults)
    found, skipped = find_sets()
    sets = _chosen_sets(found, options)
    run.results = run.results.changed(skipped=skipped, sets={**run.results.sets, **_infos(sets)})
    source = source_of()
    info = RunInfo.now(
        source=source,
        environment=describe_environment(),
        arguments=" ".join(sys.argv[1:]),
        num_measured=0,
    )
    clock = time.monotonic()
    try:
        _measure_speed(run, source)
        _measure_rules(run, sets, source)
    except KeyboardInterrupt:
        run.failed(f"interrupted; {GOES_ON}")
    took = {"duration_s": round(time.monotonic() - clock, 1), "num_measured": run.num_measured}
    _add(run, info.model_copy(update=took))
    figures = draw_plots(run.results, run.output)
    return run.end(write_report(run.results, run.output, figures=figures, notice=options.notice))


class _Benchmark(Run[EstimatorResults]):
    """Counts what is measured."""

    num_measured = 0

    def keep(self, results: EstimatorResults) -> None:
        super().keep(results)
        self.num_measured += 1


def _measure_speed(run: _Benchmark, source: str) -> None:
    if not run.chosen([SPEED]):
        return
    path = data_dir() / "curves" / LEMUR
    if not path.is_file():
        reason = f"no recorded curves of LEMUR; set {DATA_VARIABLE}"
        run.results = run.results.changed(skipped={**run.results.skipped, SPEED: reason})
        return
    configuration = QUICK if run.options.quick else FULL
    key = key_of(source, [dict(configuration), describe_environment()])
    known = run.results.speed
    if run.is_due(SPEED, known=known is not None and known.conditions.key == key):
        run.keep(run.results.changed(speed=measure_speed(path, configuration, key=key)))


def _measure_rules(run: _Benchmark, sets: list[BenchSet], source: str) -> None:
    options = run.options
    settings = QUICK_SETTINGS if options.quick else Settings()
    if options.full:
        settings = replace(settings, sample=0)
    if options.orders:
        settings = replace(settings, num_orders=options.orders)
    settings = replace(settings, force=options.force)
    rules = [item for item in contenders() if item.name in run.chosen(RULES)]
    jobs: list[Job] = []
    for part in sets:
        jobs += replay_jobs(part, rules, results=run.results, settings=settings, source=source)
        if run.chosen([FORECASTS]):
            jobs += forecast_jobs(part, results=run.results, settings=settings, source=source)
    if not jobs:
        print("nothing has changed since it was measured (--force)")
        return
    failures = do_jobs(
        jobs,
        num_processes=options.processes or os.cpu_count() or 1,
        on_done=lambda job, done, cpu_s: run.keep(job.finish(run.results, done, cpu_s)),
        is_over=lambda: run.is_over("the other rules"),
    )
    for failure in failures:
        run.failed(f"not measured: {failure}")


def _add(run: _Benchmark, info: RunInfo) -> None:
    """What this call was goes into the results if it has measured something."""
    if info.num_measured:
        runs = [known for known in run.results.runs if known.source in run.results.sources]
        run.results = run.results.changed(runs=(*runs, info))
    run.results.save(run.output)


def _infos(sets: list[BenchSet]) -> dict[str, SetInfo]:
    """What the report says about each set."""
    return {
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


def _chosen_sets(found: list[BenchSet], options: argparse.Namespace) -> list[BenchSet]:
    names = [part.curves.name for part in found]
    for name in options.sets or ():
        if name not in names:
            raise SystemExit(f"--sets {name}: no such set; there are: {', '.join(names)}")
    wanted = options.sets or (QUICK_SETS if options.quick else names)
    sets = [part for part in found if part.curves.name in wanted]
    if options.quick:
        sets = [replace(part, curves=sampled(part.curves, num_candidates=QUICK_CANDIDATES)) for part in sets]
    return sets


def _options() -> argparse.Namespace:
    parser = parser_of(__doc__, output=RESULTS_DIR / "estimator", parts=PARTS)
    add = parser.add_argument
    add("--full", action="store_true", help="SciPy's rules on all candidates too: an hour or more")
    add("--sets", action="append", metavar="NAME", help="only this set; repeatable")
    add("--orders", type=int, default=0, help="of all rules that look at others (10, slow ones 3)")
    add("--processes", type=int, default=0, help="how many work (one per core)")
    options = parse(parser)
    if options.orders < 0 or options.processes < 0:
        parser.error("--orders and --processes: use 1 or more")
    return options


if __name__ == "__main__":
    start(main)
