"""From replays to one entry of the results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

from benchmarks.bench.values import SHARES
from benchmarks.estimator_bench.values import Entry, FrontPoint
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.front import i_epoch_front
from hpc_nas.replay.score import Score, means_of, score
from hpc_nas.replay.values import Replay

__all__ = ["entry_of", "front_of"]

LEFT_OUT = ("epochs_saved_percent", "num_stopped")
"""Follows from what is used; counted by the intervals."""

DEVIATIONS = ("epochs_used_percent", *(f"overlap_{share}" for share in SHARES), "kendall_tau", "regret")
"""The figures whose deviation over the orders is kept."""

SIGNIFICANT = 6


def entry_of(
    replays: Sequence[Replay],
    curves: CurveSet,
    *,
    menndl_epochs: float,
    key: str,
    source: str,
    cpu_s: float,
    keep_stops: bool,
) -> Entry:
    """Score the replays of one rule, one per order, on complete curves."""
    first = replays[0]
    covered = _covered(first, curves)
    return Entry(
        key=key,
        source=source,
        cpu_s=round(cpu_s, 3),
        num_candidates=len(curves),
        num_orders=len(replays),
        figures=_figures([score(replay, curves, menndl_epochs=menndl_epochs) for replay in replays]),
        num_intervals=len(covered),
        num_covered=sum(covered),
        stops=tuple(candidate.stop_epoch for candidate in first.candidates) if keep_stops else (),
    )


def front_of(curves: CurveSet) -> tuple[FrontPoint, ...]:
    """i-Epoch at each share of the budget."""
    return tuple(
        FrontPoint(**{name: _rounded(getattr(item, name)) for name in FrontPoint.model_fields})
        for item in i_epoch_front(curves, menndl_epochs=math.nan)
    )


def _figures(scores: Sequence[Score]) -> dict[str, float]:
    means = means_of(scores)
    names = [item.name for item in fields(Score) if item.name not in LEFT_OUT]
    deviations = [f"{name}_std" for name in DEVIATIONS] if len(scores) > 1 else []
    return {name: _rounded(means[name]) for name in (*names, *deviations)}


def _covered(replay: Replay, curves: CurveSet) -> list[bool]:
    """Whether the 90 % interval of each stopped candidate that has one holds its truth."""
    truth = curves.truth
    return [
        bool(item.low <= truth[item.index] <= item.high)
        for item in replay.candidates
        if item.stopped and math.isfinite(item.low) and math.isfinite(item.high)
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT}g}")
