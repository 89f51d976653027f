"""The audit: how right the rule in use is, from candidates that were trained to the end whatever it decided.

They are a random sample (all, in mode observe), and what a decision to stop them would have given away is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from estimator.values import NORMAL_90
from hpc_nas.configuration import Mode
from hpc_nas.report.metrics import best_of, kendall_tau
from hpc_nas.report.rows import first_stops, ranking
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

__all__ = ["Audit", "FalseStops", "audit"]


@dataclass(frozen=True, kw_only=True)
class FalseStops:
    """Of the audited candidates, `in_top` are truly among the best; `stopped` of these would have been stopped.

    `rate` is stopped / in_top, 0..1, NaN where none is among the best.
    """

    in_top: int
    stopped: int
    rate: float


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the audited candidates that have finished say of the rule.

    - `audited`: how many there are; `would_have_stopped`: how many of them the rule had decided to stop.
    - `false_stops_10`, `false_stops_20`: among the best 10 and 20 % of all evaluated candidates, ranked by the truth
      where it was measured and by the estimate where not.
    - `mean_absolute_error`: of the estimate at the decision to stop against the accuracy measured in the end, points.
    - `kendall_tau`: rank correlation of the two.
    - `coverage_90`: share (0..1) of the estimates' 90 % intervals that hold the truth, of `intervals` that are known.
    - `epochs_cost`: trained after the decisions to stop: what the audit has cost.
    """

    audited: int
    would_have_stopped: int
    false_stops_10: FalseStops
    false_stops_20: FalseStops
    mean_absolute_error: float
    kendall_tau: float
    coverage_90: float
    intervals: int
    epochs_cost: float


def audit(record: CampaignRecord) -> Audit:
    """Measure the rule; works on a running campaign's record and on an empty one."""
    candidates = record.candidates
    observing = record.configuration["estimator"]["mode"] == Mode.OBSERVE
    known = (candidates["state"] == State.FINISHED.encode()) & np.isfinite(candidates["estimate"])
    rows = candidates[known & ((candidates["audited"] != 0) | observing)]
    stops = {number: row for number, row in first_stops(record).items() if np.isfinite(row["estimate"])}
    stopped = [row for row in rows if int(row["number"]) in stops]
    at_stop = [stops[int(row["number"])] for row in stopped]
    truths = _column(stopped, "estimate")
    estimates, spreads = _column(at_stop, "estimate"), _column(at_stop, "spread")
    held = _held(
        truths,
        low=_column(at_stop, "low"),
        high=_column(at_stop, "high"),
        estimates=estimates,
        spreads=spreads,
    )
    would_have = {int(row["number"]) for row in stopped}
    return Audit(
        audited=len(rows),
        would_have_stopped=len(stopped),
        false_stops_10=_false_stops(record, rows["number"], stopped=would_have, percent=10.0),
        false_stops_20=_false_stops(record, rows["number"], stopped=would_have, percent=20.0),
        mean_absolute_error=float(np.abs(estimates - truths).mean()) if stopped else math.nan,
        kendall_tau=kendall_tau(estimates, truths) if stopped else math.nan,
        coverage_90=float(held.mean()) if len(held) else math.nan,
        intervals=len(held),
        epochs_cost=float((_column(stopped, "epochs") - _column(at_stop, "epoch")).sum()),
    )


def _column(rows: list[np.void], name: str) -> NDArray[np.float64]:
    return np.array([row[name] for row in rows], dtype=np.float64)


def _held(
    truths: NDArray[np.float64],
    *,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    estimates: NDArray[np.float64],
    spreads: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether each known interval holds its truth; where none was recorded, it is 1.645 spreads to each side."""
    margin = NORMAL_90 * spreads
    low = np.where(np.isfinite(low), low, estimates - margin)
    high = np.where(np.isfinite(high), high, estimates + margin)
    known = np.isfinite(low) & np.isfinite(high)
    held: NDArray[np.bool_] = ((low <= truths) & (truths <= high))[known]
    return held


def _false_stops(
    record: CampaignRecord, audited: NDArray[np.int64], *, stopped: set[int], percent: float
) -> FalseStops:
    ranked = ranking(record)
    best = ranked["number"][best_of(ranked["estimate"], percent=percent)].tolist() if len(ranked) else []
    top = set(best) & set(audited.tolist())
    missed = len(top & stopped)
    return FalseStops(in_top=len(top), stopped=missed, rate=missed / len(top) if top else math.nan)
