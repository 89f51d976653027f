"""Means over groups of sets, and what one number says of a family of rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.estimator_bench.contenders import Contender, contenders
from benchmarks.estimator_bench.sets import CNN, HARD
from benchmarks.estimator_bench.values import Entry, EstimatorResults, FrontPoint

__all__ = [
    "GROUPS",
    "Coverage",
    "GroupMean",
    "coverage_of",
    "entries_of",
    "group_mean",
    "hypervolume",
    "mean_front",
    "mean_overlap",
    "sets_of",
    "shown",
]

ALL = "all"
GROUPS: Mapping[str, str] = {CNN: "CNN sets", HARD: "hard sets", ALL: "all sets"}
WORST_REGRET, FINEST_REGRET = 10.0, 0.01
"""Points between which the hypervolume's regret counts, on a logarithmic scale."""

NOMINAL = 0.90


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupMean:
    """A rule's figures, averaged over those `num_sets` of the group's `num_wanted` sets that have the rule.

    `NAME_std` is the deviation of that mean over random orders; missing for a rule that looks at nobody else.
    """

    figures: Mapping[str, float]
    num_sets: int
    num_wanted: int

    @property
    def whole(self) -> bool:
        """Whether it can be compared with others: it is a mean over all sets of the group."""
        return self.num_sets == self.num_wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How many 90 % intervals hold the truth, and how likely a count as far off is if 90 % do (two-sided)."""

    num_intervals: int
    num_covered: int

    @property
    def share(self) -> float:
        return self.num_covered / self.num_intervals if self.num_intervals else math.nan

    @property
    def probability(self) -> float:
        if not self.num_intervals:
            return math.nan
        return float(stats.binomtest(self.num_covered, self.num_intervals, NOMINAL).pvalue)


def shown(results: EstimatorResults) -> list[Contender]:
    """The rules of tables and plots that any set has, in their usual order."""
    known = {name for entries in results.entries.values() for name in entries}
    return [item for item in contenders() if item.shown and item.name in known]


def sets_of(results: EstimatorResults, group: str) -> list[str]:
    """The measured sets of a group."""
    return [
        name
        for name, info in results.sets.items()
        if group in (ALL, info.group) and results.entries.get(name)
    ]


def entries_of(results: EstimatorResults, group: str, rule: str) -> dict[str, Entry]:
    """A rule's entries, by set."""
    return {
        name: results.entries[name][rule] for name in sets_of(results, group) if rule in results.entries[name]
    }


def group_mean(results: EstimatorResults, group: str, rule: str) -> GroupMean:
    """Each figure's mean over the sets of the group that have it."""
    entries = entries_of(results, group, rule)
    names = dict.fromkeys(name for entry in entries.values() for name in entry.figures)
    figures: dict[str, float] = {}
    for name in names:
        values = [entry.figures.get(name, math.nan) for entry in entries.values()]
        known = [value for value in values if math.isfinite(value)]
        if name.endswith("_std"):
            figures[name] = math.sqrt(sum(value**2 for value in known)) / len(entries)
        else:
            figures[name] = float(np.mean(known)) if known else math.nan
    return GroupMean(figures=figures, num_sets=len(entries), num_wanted=len(sets_of(results, group)))


def mean_overlap(figures: Mapping[str, float]) -> float:
    """Of the best 10, 20 and 30 %."""
    return float(np.mean([figures[f"overlap_{share}"] for share in (10, 20, 30)]))


def mean_front(results: EstimatorResults, group: str) -> list[dict[str, float]]:
    """i-Epoch at each share of the budget, averaged over the group's sets."""
    fronts = [results.sets[name].front for name in sets_of(results, group)]
    return [
        {name: float(np.mean([getattr(point, name) for point in points])) for name in FrontPoint.model_fields}
        for points in zip(*fronts, strict=True)
    ]


def coverage_of(entries: Iterable[Entry]) -> Coverage:
    """Pooled over sets, in the first order."""
    items = list(entries)
    return Coverage(
        num_intervals=sum(item.num_intervals for item in items),
        num_covered=sum(item.num_covered for item in items),
    )


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Of (epochs used in percent, regret in points): the area that the points dominate, 0..1.

    One side is the share of epochs saved, the other the regret on a logarithmic scale from 10 points (0) to
    0.01 points and less (1). 1 would be a perfect winner for nothing.
    """
    scale = math.log(WORST_REGRET / FINEST_REGRET)
    scored = [
        (1.0 - used / 100.0, math.log(WORST_REGRET / min(max(regret, FINEST_REGRET), WORST_REGRET)) / scale)
        for used, regret in points
    ]
    area, height = 0.0, 0.0
    for saved, quality in sorted(scored, reverse=True):
        if quality > height:
            area += saved * (quality - height)
            height = quality
    return area
