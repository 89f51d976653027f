"""The report's tables of rules: means over groups, and each set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from benchmarks.bench.report import table
from benchmarks.estimator_bench.contenders import Contender
from benchmarks.estimator_bench.formats import gaps, overlaps, short, with_deviation
from benchmarks.estimator_bench.groups import GROUPS, coverage_of, entries_of, group_mean, sets_of, shown
from benchmarks.estimator_bench.values import EstimatorResults
from hpc_nas.report.formatting import MISSING

__all__ = ["group_tables", "means", "set_tables"]

USED = "epochs_used_percent"
_KNOWN = {True: "known", False: "not known"}
HEADER = (
    "used %", "saved %", "saved vs MENNDL %", "throughput", "overlap 10/20/30", "gap 10/20/30", "tau", "regret",
    "MAE", "90 %",
)  # fmt: skip


def means(results: EstimatorResults) -> list[str]:
    """What counts most, all groups side by side."""
    header = ["rule"]
    for group, title in GROUPS.items():
        header += [f"{title} ({len(sets_of(results, group))}): used %", "overlap 10/20/30", "regret"]
    rows = []
    for rule in shown(results):
        cells = [_name(rule)]
        for group in GROUPS:
            mean = group_mean(results, group, rule.name)
            if not mean.num_sets:
                cells += [MISSING] * 3
                continue
            count = "" if mean.whole else f" ({mean.num_sets})"
            cells += [
                short(mean.figures[USED]) + count,
                overlaps(mean.figures),
                short(mean.figures["regret"]),
            ]
        rows.append(cells)
    return ["## Means over sets", "", *table(header, rows)]


def group_tables(results: EstimatorResults) -> Iterator[str]:
    """Every figure's mean over each group."""
    for group, title in GROUPS.items():
        names = sets_of(results, group)
        if not names:
            continue
        rows = []
        for rule in shown(results):
            mean = group_mean(results, group, rule.name)
            if mean.num_sets:
                pooled = coverage_of(entries_of(results, group, rule.name).values()).share
                count = "" if mean.whole else f" ({mean.num_sets} sets)"
                rows.append([_name(rule) + count, *_cells(mean.figures, coverage=pooled)])
        yield from [
            f"## All figures: {title}",
            "",
            f"Means over {len(names)}: {', '.join(names)}. The coverage is pooled.",
            "",
        ]
        yield from table(["rule", *HEADER], rows)


def set_tables(results: EstimatorResults) -> Iterator[str]:
    """One table for each set."""
    yield from ["## Each set", ""]
    for name in sets_of(results, "all"):
        info = results.sets[name]
        left_out = f"; {info.num_left_out} incomplete ones left out" if info.num_left_out else ""
        yield from [
            f"### {name}",
            "",
            f"Group {info.group}: {info.num_candidates} candidates{left_out}, {info.num_observations} observations "
            f"each, full budget {info.max_epochs:g}; training loss {_KNOWN[info.knows_train_loss]}.",
            "",
        ]
        rows = []
        for rule in shown(results):
            entry = results.entries[name].get(rule.name)
            if entry is not None:
                orders = f"{entry.num_candidates} / {entry.num_orders}"
                cells = _cells(entry.figures, coverage=coverage_of([entry]).share)
                rows.append([_name(rule), orders, *cells])
        yield from table(["rule", "candidates / orders", *HEADER], rows)


def _cells(figures: Mapping[str, float], *, coverage: float) -> list[str]:
    used = figures[USED]
    return [
        with_deviation(figures, USED),
        short(100.0 - used),
        short(figures["epochs_saved_vs_menndl_percent"]),
        short(figures["throughput_factor"]),
        overlaps(figures),
        gaps(figures),
        with_deviation(figures, "kendall_tau"),
        with_deviation(figures, "regret"),
        short(figures["mae"]),
        f"{100.0 * coverage:.0f}" if math.isfinite(coverage) else MISSING,
    ]


def _name(rule: Contender) -> str:
    return f"`{rule.name}`{'*' if rule.sampled else ''}"
