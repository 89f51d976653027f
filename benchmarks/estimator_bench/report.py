"""report.md: the aims and the means first, then plots and every set, from results.json alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.forecast_speed import table as speed_table
from bench.markdown import table

from estimator_bench.aims import rows_of_aims
from estimator_bench.formats import short
from estimator_bench.report_conditions import conditions
from estimator_bench.report_quality import agreement, calibration, forecasts, hypervolumes
from estimator_bench.report_sets import group_tables, means, set_tables
from estimator_bench.store import Results

__all__ = ["write_report"]

REPORT_NAME = "report.md"

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


def write_report(results: Results, directory: Path, *, figures: Sequence[Path], notice: str) -> Path:
    """Publish report.md in `directory`; `figures` lie beside it, a notice comes first."""
    path = directory / REPORT_NAME
    temporary = path.with_name(f".{REPORT_NAME}.tmp")
    temporary.write_text("\n".join(_lines(results, figures, notice=notice)).rstrip() + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def _lines(results: Results, figures: Sequence[Path], *, notice: str) -> list[str]:
    lines = [
        "# Estimator benchmark report",
        "",
        "Every rule, replayed on recorded learning curves. Written by `make bench-estimator` from `results.json`; not "
        "edited by hand.",
        "",
    ]
    lines += [f"**{notice}**", ""] if notice else []
    lines += _stale(results)
    lines += ["## Aims", ""]
    lines += table(["figure", "aim", "measured", "aim is", "PEng4NN*"], rows_of_aims(results))
    lines += means(results)
    for path in figures:
        lines += [f"![{path.stem.replace('_', ' ')}]({path.name})", ""]
    lines += [*hypervolumes(results), *calibration(results), *forecasts(results), *agreement(results)]
    lines += [*_speed(results), *group_tables(results), *set_tables(results), *conditions(results), READING]
    return lines


def _stale(results: Results) -> list[str]:
    """Says so where parts were measured with different code."""
    sources = results.sources
    if len(sources) < 2:
        return []
    counts = ", ".join(f"{count} with {source}" for source, count in sources.items())
    return [f"**The results were measured with different versions of the code ({counts}).**", ""]


def _speed(results: Results) -> Iterator[str]:
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
        *speed_table(speed.forecasts).splitlines(),
        "",
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
