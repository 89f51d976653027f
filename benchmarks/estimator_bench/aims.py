"""What was aimed at, and whether it was reached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.bench.report import verdict
from benchmarks.estimator_bench.formats import short
from benchmarks.estimator_bench.groups import GROUPS, coverage_of, entries_of, group_mean
from benchmarks.estimator_bench.values import EstimatorResults, Speed

__all__ = ["REJECTED_BELOW", "rows_of_aims"]

REJECTED_BELOW = 0.01
LOWEST_COVERAGE, HIGHEST_COVERAGE = 0.87, 0.93
BEYOND = 1e-9
"""Aims are "at most" and "at least"; rounding of sums must not decide."""

USED, REGRET = "epochs_used_percent", "regret"
LABELS = {USED: "epochs used, %", REGRET: "regret, points"} | {
    f"{kind}_{share}": f"{kind} of the best {share} %"
    for kind in ("overlap", "gap")
    for share in (10, 20, 30)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Aim:
    rule: str
    group: str
    figure: str
    at_least: float = -math.inf
    at_most: float = math.inf

    @property
    def text(self) -> str:
        return f"≤ {self.at_most:g}" if math.isfinite(self.at_most) else f"≥ {self.at_least:g}"


def _overlaps(rule: str, group: str, aims: tuple[float, float, float]) -> tuple[_Aim, ...]:
    return tuple(
        _Aim(rule=rule, group=group, figure=f"overlap_{share}", at_least=aim)
        for share, aim in zip((10, 20, 30), aims, strict=True)
    )


AIMS: tuple[_Aim, ...] = (
    _Aim(rule="adaptive", group="cnn", figure=USED, at_most=32.0),
    *_overlaps("adaptive", "cnn", (0.92, 0.92, 0.90)),
    *(_Aim(rule="adaptive", group="cnn", figure=f"gap_{share}", at_most=0.1) for share in (10, 20, 30)),
    _Aim(rule="adaptive", group="cnn", figure=REGRET, at_most=0.02),
    _Aim(rule="adaptive", group="all", figure=USED, at_most=40.0),
    *_overlaps("adaptive", "all", (0.88, 0.88, 0.87)),
    _Aim(rule="adaptive", group="all", figure=REGRET, at_most=0.02),
    _Aim(rule="adaptive-fast", group="cnn", figure=USED, at_most=14.0),
    _Aim(rule="adaptive-fast", group="cnn", figure=REGRET, at_most=0.05),
    _Aim(rule="adaptive-fast", group="all", figure=USED, at_most=25.0),
    _Aim(rule="adaptive-fast", group="all", figure=REGRET, at_most=0.02),
)


def rows_of_aims(results: EstimatorResults) -> list[list[str]]:
    """Cells: figure, aim, measured with its deviation over orders, met or missed; what the paper's rule has."""
    rows = [_row(results, aim) for aim in AIMS]
    for rule in ("adaptive", "adaptive-fast", "adaptive-steady"):
        rows += _coverage_rows(results, rule)
    if results.speed is not None:
        rows += _speed_rows(results.speed)
    return rows


def _row(results: EstimatorResults, aim: _Aim) -> list[str]:
    mean = group_mean(results, aim.group, aim.rule)
    value = mean.figures.get(aim.figure, math.nan)
    deviation = mean.figures.get(f"{aim.figure}_std", math.nan)
    measured = short(value) + (f" ± {short(deviation)}" if math.isfinite(deviation) else "")
    reference = group_mean(results, aim.group, "peng4nn").figures.get(aim.figure, math.nan)
    sets = "" if mean.whole else f" ({mean.num_sets} of {mean.num_wanted} sets)"
    return [
        f"`{aim.rule}`, {GROUPS[aim.group]}: {LABELS[aim.figure]}",
        aim.text,
        measured + sets,
        verdict(value, below=aim.at_most + BEYOND, above=aim.at_least - BEYOND),
        short(reference),
    ]


def _coverage_rows(results: EstimatorResults, rule: str) -> Iterator[list[str]]:
    by_set = {name: coverage_of([entry]) for name, entry in entries_of(results, "all", rule).items()}
    known = {name: item for name, item in by_set.items() if item.num_intervals}
    if not known:
        return
    pooled = coverage_of(entries_of(results, "all", rule).values())
    reference = coverage_of(entries_of(results, "all", "peng4nn").values())
    yield [
        f"`{rule}`: 90 % intervals that hold the truth, all sets pooled, %",
        "87 to 93",
        f"{100 * pooled.share:.1f} ({pooled.num_intervals} intervals)",
        verdict(pooled.share, below=HIGHEST_COVERAGE + BEYOND, above=LOWEST_COVERAGE - BEYOND),
        short(100 * reference.share),
    ]
    rejected = [name for name, item in known.items() if item.probability < REJECTED_BELOW]
    yield [
        f"`{rule}`: sets that a two-sided binomial test at 1 % rejects",
        "0",
        f"{len(rejected)} of {len(known)}",
        verdict(float(len(rejected)), below=0.5),
        "",
    ]


def _speed_rows(speed: Speed) -> Iterator[list[str]]:
    _, *ours = speed.forecasts.forecasts
    for timing in ours:
        yield [
            f"one forecast with spread, {timing.name}: median, p99, ms",
            "< 2, < 5",
            f"{timing.median_ms:.2f}, {timing.p99_ms:.2f} ({timing.ratio:.1f} times as fast as curve_fit)",
            _both(timing.median_ms < 2.0, timing.p99_ms < 5.0),
            "",
        ]
    batch = speed.forecasts.batch
    yield [
        f"every prefix of {batch.num_curves} curves of {batch.num_points} points: fits per second, failures",
        "> 100,000, 0",
        f"{batch.fits_per_s:,.0f}, {batch.num_failures} ({batch.ratio:,.0f} times as fast as curve_fit)",
        _both(batch.fits_per_s > 1e5, batch.num_failures == 0),
        "",
    ]
    slowest = max(speed.refits, key=lambda refit: refit.median_s)
    yield [
        f"refit of Baker's regression on {slowest.num_curves} curves, slowest ({slowest.regression}), s",
        "< 1",
        f"{slowest.median_s:.2f}",
        verdict(slowest.median_s, below=1.0),
        "",
    ]


def _both(one: bool, other: bool) -> str:
    return "met" if one and other else "**missed**" if not (one or other) else "**half missed**"
