"""report.md: the aims and the means first, then plots and every set, from results.json alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.bench.report import figures as figure_lines
from benchmarks.bench.report import machine, publish_report, short_commit, table
from benchmarks.estimator_bench.aims import rows_of_aims
from benchmarks.estimator_bench.formats import short
from benchmarks.estimator_bench.groups import entries_of, shown
from benchmarks.estimator_bench.report_quality import agreement, calibration, forecasts, hypervolumes
from benchmarks.estimator_bench.report_sets import group_tables, means, set_tables
from benchmarks.estimator_bench.values import EstimatorResults, ForecastSpeed
from hpc_nas.report.formatting import duration

__all__ = ["write_report"]

READING = """## How to read this

- The truth of a candidate is the best accuracy of its complete curve; candidates without one are left out. Replay,
  its clock and every figure: `docs/replay.md`. Gap, regret and MAE are in points of accuracy (or of the score that
  `benchmarks/curves/README.md` describes).
- A rule that looks at other candidates is replayed in several random orders with one trainer; the figures are means
  over them, and ± is the standard deviation over orders. In means over sets it is that of the mean, as the sets'
  orders are independent. A rule that looks at nobody else has none.
- \\* Rules that fit with SciPy take 10 ms and more for each fit: they are replayed on a seeded sample of each set (the
  number is in the tables of the sets), all others on all candidates; `--full` replays all on all.
- "i-epoch blend" falls back to validation accuracy where no training loss was recorded, and `menndl` is left out there:
  then its mean is over fewer sets, whose number stands beside it.
- Means are over sets, each counting the same. The share of the largest class is not known for these sets, so nobody
  is stopped as one that never learns.
- Intervals: those of the forecast that a candidate was stopped on, in the first order; candidates that were trained to
  the end have none. They are a sample that the rule has chosen, not a random one.
"""


def write_report(results: EstimatorResults, directory: Path, *, figures: Sequence[Path], notice: str) -> Path:
    """Publish report.md in `directory`; `figures` lie beside it, a notice comes first."""
    text = (
        "Every rule, replayed on recorded learning curves. Written by `make bench-estimator` from `results.json`; not "
        "edited by hand."
    )
    body = [*_stale(results), "## Aims", ""]
    body += table(["figure", "aim", "measured", "aim is", "PEng4NN*"], rows_of_aims(results))
    body += [*means(results), *figure_lines(figures)]
    body += [*hypervolumes(results), *calibration(results), *forecasts(results), *agreement(results)]
    body += [*_speed(results), *group_tables(results), *set_tables(results), *_conditions(results), READING]
    return publish_report(directory, "Estimator benchmark report", text, notice=notice, body=body)


def _stale(results: EstimatorResults) -> list[str]:
    """Says so where parts were measured with different code."""
    sources = results.sources
    if len(sources) < 2:
        return []
    counts = ", ".join(f"{count} with {source}" for source, count in sources.items())
    return [f"**The results were measured with different versions of the code ({counts}).**", ""]


def _speed(results: EstimatorResults) -> Iterator[str]:
    if results.speed is None:
        return
    speed = results.speed
    reference_ms = speed.forecasts.forecasts[0].cpu_median_ms
    yield from ["## Speed", ""]
    yield from [
        f"One run on one core of {speed.conditions.environment['cpu']}; others used "
        f"{speed.conditions.background_cpu_percent:.0f} % of the machine when it began. Faster by: ratio of CPU times "
        "to SciPy's curve_fit in this run. Forecasts: of every prefix of recorded curves, with spread.",
        "",
        *_forecast_table(speed.forecasts),
        "Refit of one regression of Baker's SRM, with fixed hyperparameters and the residuals of 5 folds:",
        "",
    ]
    rows = [
        [
            refit.regression,
            f"{refit.num_curves} curves, {refit.length} observations",
            f"{refit.median_s:.3f} s",
            f"{refit.largest_s:.3f} s",
            str(refit.repeats),
            short(refit.median_s / (1e-3 * reference_ms)),
        ]
        for refit in speed.refits
    ]
    yield from table(["regression", "of", "median", "largest", "repeats", "in fits of curve_fit"], rows)


def _forecast_table(speed: ForecastSpeed) -> list[str]:
    rows = [
        [
            timing.name,
            str(timing.count),
            *(
                f"{value:.2f}"
                for value in (timing.median_ms, timing.p99_ms, timing.cpu_median_ms, timing.cpu_p99_ms)
            ),
            str(timing.num_without_forecast),
            f"{timing.ratio:.1f}",
        ]
        for timing in speed.forecasts
    ]
    header = [
        "one forecast",
        "count",
        "median ms",
        "p99 ms",
        "CPU median ms",
        "CPU p99 ms",
        "none",
        "faster by",
    ]
    lines = table(header, rows)
    lines[1] = "|" + "---|" * len(header)
    batch = speed.batch
    return [
        *lines,
        f"Every prefix of {batch.num_curves} curves of {batch.num_points} points at once: {batch.num_fits} fits, "
        f"{batch.num_failures} failures, {batch.fits_per_s:,.0f} fits/s ({batch.fits_per_cpu_s:,.0f} per CPU second), "
        f"{batch.ratio:,.0f} times curve_fit.",
        "",
    ]


def _conditions(results: EstimatorResults) -> Iterator[str]:
    """Machine, commit, settings, skipped sets, and CPU time by rule."""
    yield from ["## Conditions", ""]
    if results.runs:
        yield from machine(results.runs[-1].environment)
    yield from _runs(results)
    for name, reason in results.skipped.items():
        yield from [f"Skipped: {name}: {reason}.", ""]
    yield from _times(results)


def _runs(results: EstimatorResults) -> Iterator[str]:
    rows = [
        [
            run.started,
            duration(run.duration_s),
            str(run.num_measured),
            short_commit(run.commit),
            run.source,
            f"{run.background_cpu_percent:.0f} %",
            f"`{run.arguments}`" if run.arguments else "",
        ]
        for run in results.runs
    ]
    yield from [
        "What is here was measured by these calls; a result stays until its curves, its rule, its orders or the code "
        "change. `+` marks a commit with changes on top. Only the section on speed depends on the machine's load.",
        "",
    ]
    yield from table(
        ["started", "took", "jobs", "commit", "code", "others' CPU share before", "arguments"], rows
    )


def _times(results: EstimatorResults) -> Iterator[str]:
    """CPU time of each rule over all sets; rules that share forecasts share it."""
    rows = []
    for rule in shown(results):
        entries = entries_of(results, "all", rule.name).values()
        replays = sum(entry.num_candidates * entry.num_orders for entry in entries)
        seconds = sum(entry.cpu_s for entry in entries)
        rows.append([f"`{rule.name}`", f"{seconds:.0f} s", str(replays), f"{1e3 * seconds / replays:.1f} ms"])
    names = dict.fromkeys(name for found in results.forecasts.values() for name in found)
    for name in names:
        items = [found[name] for found in results.forecasts.values() if name in found]
        seconds, count = sum(item.cpu_s for item in items), sum(item.num_candidates for item in items)
        rows.append(
            [f"forecasts by {name}", f"{seconds:.0f} s", str(count), f"{1e3 * seconds / count:.1f} ms"]
        )
    if results.speed is not None:
        rows.append(["speed", f"{results.speed.conditions.duration_s:.0f} s", "", ""])
    yield from [
        "CPU time over all sets; rules that share their forecasts share it evenly. A replayed curve is one candidate "
        "in one order.",
        "",
    ]
    yield from table(["part", "CPU time", "replayed curves", "each"], rows)
