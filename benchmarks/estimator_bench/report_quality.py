"""The report's sections on families of rules, intervals, forecasts, and PEng4NN by two solvers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.bench.report import table
from benchmarks.estimator_bench.aims import REJECTED_BELOW
from benchmarks.estimator_bench.contenders import AGREEING, REFERENCE
from benchmarks.estimator_bench.formats import overlaps, short
from benchmarks.estimator_bench.groups import (
    GROUPS,
    Coverage,
    coverage_of,
    entries_of,
    group_mean,
    hypervolume,
    sets_of,
    shown,
)
from benchmarks.estimator_bench.quality import FORECASTERS
from benchmarks.estimator_bench.values import EstimatorResults, ForecastQuality
from hpc_nas.report.formatting import MISSING

__all__ = ["agreement", "calibration", "forecasts", "hypervolumes"]


def hypervolumes(results: EstimatorResults) -> Iterator[str]:
    """One number for each family of rules."""
    families: dict[str, list[str]] = {}
    for rule in shown(results):
        families.setdefault(rule.family, []).append(rule.name)
    rows = []
    for family, names in families.items():
        areas = []
        for group in GROUPS:
            found = [group_mean(results, group, name) for name in names]
            points = [
                (mean.figures["epochs_used_percent"], mean.figures["regret"])
                for mean in found
                if mean.num_sets and mean.whole
            ]
            areas.append(short(hypervolume(points)) if points else MISSING)
        rows.append([family, str(len(names)), *areas])
    yield from [
        "## Hypervolume of epochs and regret",
        "",
        "The area that a family's rules dominate (group means): share of epochs saved, times regret on a logarithmic "
        "scale from 10 points (0) to 0.01 and less (1). More settings dominate more.",
        "",
    ]
    yield from table(["family", "rules", *GROUPS.values()], rows)


def calibration(results: EstimatorResults) -> Iterator[str]:
    """Coverage of the 90 % intervals, pooled and of each set."""
    by_rule: dict[str, dict[str, Coverage]] = {}
    rows = []
    for rule in shown(results):
        entries = entries_of(results, "all", rule.name)
        pooled = coverage_of(entries.values())
        if not pooled.num_intervals:
            continue
        by_rule[rule.name] = by_set = {name: coverage_of([entry]) for name, entry in entries.items()}
        known = [item for item in by_set.values() if item.num_intervals]
        rejected = sum(item.probability < REJECTED_BELOW for item in known)
        groups = [coverage_of(entries_of(results, group, rule.name).values()) for group in ("cnn", "hard")]
        rows.append(
            [
                f"`{rule.name}`",
                *(f"{100 * item.share:.1f} ({item.num_intervals})" for item in (pooled, *groups)),
                f"{rejected} of {len(known)}",
            ]
        )
    yield from [
        "## Do 90 % intervals hold the truth?",
        "",
        "Percent of the intervals of stopped candidates that hold it, in the first order (number of intervals).",
        "",
        *table(["rule", "all sets pooled", "CNN sets", "hard sets", "sets rejected"], rows),
        "Each set; bold is rejected: a two-sided binomial test against 90 % gives p < 1 %.",
        "",
    ]
    cells = [
        [name, *(_coverage(by_set[name]) if name in by_set else MISSING for by_set in by_rule.values())]
        for name in sets_of(results, "all")
    ]
    yield from table(["set", *(f"`{name}`" for name in by_rule)], cells)


def forecasts(results: EstimatorResults) -> Iterator[str]:
    """Forecasts from a quarter of the curve."""
    by_set = {name: found for name, found in results.forecasts.items() if found}
    if not by_set:
        return
    count = max(item.num_candidates for found in by_set.values() for item in found.values())
    names = [name for name in FORECASTERS if any(name in found for found in by_set.values())]
    header = [
        "forecaster",
        "median R^2: CNN / hard / all",
        "mean MAE: CNN / hard / all",
        "90 %",
        "CPU ms each",
    ]
    yield from [
        "## Forecasts from 25 % of the curve",
        "",
        f"Up to {count} candidates per set, each forecast from its first quarter with all the others finished "
        "(by those that look at nobody else: from it alone). Medians and means are over sets, coverage is pooled; "
        "the time includes all learning. R^2 as in Baker et al.: below 0 where the mean of the truths would be nearer.",
        "",
        *table(header, [_forecaster(results, name) for name in names]),
        "R^2 of each set:",
        "",
    ]
    rows = [
        [part, *(short(found[name].r_squared) if name in found else MISSING for name in names)]
        for part, found in by_set.items()
    ]
    yield from table(["set", *names], rows)


def _forecaster(results: EstimatorResults, name: str) -> list[str]:
    squares, errors = [], []
    for group in GROUPS:
        found = [
            found[name]
            for part, found in results.forecasts.items()
            if name in found and group in ("all", results.sets[part].group)
        ]
        squares.append(short(float(np.median(_known(found, "r_squared")))) if found else MISSING)
        errors.append(short(float(np.mean(_known(found, "mae")))) if found else MISSING)
    every = [found[name] for found in results.forecasts.values() if name in found]
    pooled = Coverage(
        num_intervals=sum(item.num_intervals for item in every),
        num_covered=sum(item.num_covered for item in every),
    )
    spent_ms = 1e3 * sum(item.cpu_s for item in every) / sum(item.num_candidates for item in every)
    return [
        name,
        " / ".join(squares),
        " / ".join(errors),
        f"{100 * pooled.share:.1f}" if pooled.num_intervals else MISSING,
        short(spent_ms),
    ]


def agreement(results: EstimatorResults) -> Iterator[str]:
    """PEng4NN by SciPy and by our own solver, on the same candidates."""
    rows = []
    for name in sets_of(results, "all"):
        scipy, ours = (results.entries[name].get(rule) for rule in (REFERENCE, AGREEING))
        if scipy is None or ours is None or len(scipy.stops) != len(ours.stops):
            continue
        pairs = list(zip(scipy.stops, ours.stops, strict=True))
        same = sum(one == other for one, other in pairs)
        earlier = sum(other < one for one, other in pairs)
        rows.append(
            [
                name,
                str(len(pairs)),
                f"{100 * same / len(pairs):.0f}",
                f"{100 * earlier / len(pairs):.0f}",
                *(
                    f"{short(scipy.figures[figure])} -> {short(ours.figures[figure])}"
                    for figure in ("epochs_used_percent", "kendall_tau", "regret", "mae")
                ),
                f"{overlaps(scipy.figures)} -> {overlaps(ours.figures)}",
            ]
        )
    if not rows:
        return
    shares = [float(row[2]) for row in rows]
    yield from [
        "## PEng4NN by SciPy and by our own solver",
        "",
        "`peng4nn` -> `peng4nn-fast` on the same candidates. They stop at the same epoch on "
        f"{np.mean(shares):.0f} % of the curves (mean over {len(rows)} sets; {min(shares):.0f} to "
        f"{max(shares):.0f} %).",
        "",
    ]
    header = ["set", "candidates", "same stop %", "ours earlier %", "used %", "tau", "regret", "MAE"]
    yield from table([*header, "overlap 10/20/30"], rows)


def _coverage(coverage: Coverage) -> str:
    if not coverage.num_intervals:
        return MISSING
    text = f"{100 * coverage.share:.0f} ({coverage.num_intervals})"
    return f"**{text}**" if coverage.probability < REJECTED_BELOW else text


def _known(found: list[ForecastQuality], name: str) -> list[float]:
    return [value for value in (getattr(item, name) for item in found) if math.isfinite(value)]
