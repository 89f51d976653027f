"""A comparison: every rule on every set, replayed and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.rules import Rule
from hpc_nas.replay.score import means_of, menndl_epochs, score
from hpc_nas.replay.values import Replay
from hpc_nas.replay.work import Plan, gathered, pieces
from hpc_nas.replay.workers import do_all, progress_bar

__all__ = ["Comparison", "Entry", "compare", "orders_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One rule on one set: its replays, one per order, and the mean of each figure with its deviation."""

    replays: tuple[Replay, ...]
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """`entries[set][rule]`; both by name, in the order in which they were given."""

    sets: tuple[CurveSet, ...]
    rules: tuple[Rule, ...]
    entries: Mapping[str, Mapping[str, Entry]]

    def mean_figures(self, rule: str) -> dict[str, float]:
        """Each figure of a rule, averaged over the sets that have it."""
        figures = [self.entries[part.name][rule].figures for part in self.sets]
        names = figures[0].keys()
        known = {name: [item[name] for item in figures if math.isfinite(item[name])] for name in names}
        return {name: float(np.mean(values)) if values else math.nan for name, values in known.items()}


def orders_of(num_candidates: int, *, num_orders: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """The orders in which candidates are started: a single one is the file's own, several are random."""
    if num_orders == 1:
        return (tuple(range(num_candidates)),)
    return tuple(
        tuple(np.random.default_rng([seed, number]).permutation(num_candidates).tolist())
        for number in range(num_orders)
    )


def compare(
    sets: Sequence[CurveSet],
    rules: Sequence[Rule],
    *,
    num_orders: int,
    num_trainers: int,
    seed: int,
    num_processes: int,
    console: Console,
) -> Comparison:
    """Replay and score. `console` is where the progress is shown.

    Rules that look at one candidate alone are replayed once, the others in every order. Raises
    ConfigurationError for a rule that a set does not allow, before anything is replayed, and ValueError for
    two sets of one name.
    """
    if len({curves.name for curves in sets}) < len(sets):
        raise ValueError(f"sets need names that differ: {', '.join(curves.name for curves in sets)}")
    plans = [
        Plan(
            curves=curves,
            preset=rule.preset(curves),
            orders=orders_of(len(curves), num_orders=num_orders, seed=seed),
            num_trainers=num_trainers,
        )
        for curves in sets
        for rule in rules
    ]
    work = pieces(plans)
    with progress_bar(console, num_curves=sum(piece.size for piece in work)) as advance:
        replays = gathered(plans, do_all(work, num_processes=num_processes, advance=advance))
    entries: dict[str, dict[str, Entry]] = {}
    for number, curves in enumerate(sets):
        menndl = menndl_epochs(curves)
        of_this_set = replays[number * len(rules) : (number + 1) * len(rules)]
        entries[curves.name] = {
            rule.text: Entry(replays=tuple(found), figures=_figures(found, curves, menndl=menndl))
            for rule, found in zip(rules, of_this_set, strict=True)
        }
    return Comparison(sets=tuple(sets), rules=tuple(rules), entries=entries)


def _figures(replays: Sequence[Replay], curves: CurveSet, *, menndl: float) -> dict[str, float]:
    return means_of([score(replay, curves, menndl_epochs=menndl) for replay in replays])
