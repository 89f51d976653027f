"""How good a replay was: what it cost, and how well its estimates rank the candidates, against the truth.

The truth of a candidate is the best accuracy of its complete curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from estimator import preset
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.simulate import replay_alone
from hpc_nas.replay.values import Replay, Replayed
from hpc_nas.report import metrics

__all__ = ["Score", "means_of", "menndl_epochs", "score"]

NUM_RETRAINED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The figures of one replay of one set; NaN where one does not exist.

    - `epochs_used_percent`, `epochs_saved_percent`: of the full budget of all candidates; `throughput_factor`:
      how many times as many candidates the same epochs would have served.
    - `epochs_saved_vs_menndl_percent`: of what MENNDL's rule trains on the same curves (PEng4NN, Table III).
    - `overlap_*`: share (0..1) of the truly best 10, 20, 30 % that is among the best by estimate (Table IV);
      `gap_*`: difference of their mean true accuracies, points (Table V).
    - `kendall_tau`: rank correlation of estimates and truth, -1..1.
    - `regret`: the true best less the truth of the best by estimate, points; `regret_retrained_3`: the same if
      the 3 best by estimate are trained to the end.
    - `mae`: mean |estimate - truth| of the stopped candidates, points; `coverage_90`: share (0..1) of them whose
      90 % interval holds the truth, among those that have one.
    - `num_stopped`: candidates stopped before their full budget; `false_stop_percent`: share of the truly best
      10 % that were.
    """

    epochs_used_percent: float
    epochs_saved_percent: float
    epochs_saved_vs_menndl_percent: float
    throughput_factor: float
    overlap_10: float
    overlap_20: float
    overlap_30: float
    gap_10: float
    gap_20: float
    gap_30: float
    kendall_tau: float
    regret: float
    regret_retrained_3: float
    mae: float
    coverage_90: float
    num_stopped: float
    false_stop_percent: float


def score(replay: Replay, curves: CurveSet, *, menndl_epochs: float) -> Score:
    """Measure a replay of complete curves; `menndl_epochs` as `menndl_epochs(curves)` gives them."""
    truth = curves.truth
    estimates = np.array([candidate.estimate for candidate in replay.candidates])
    stopped = [candidate for candidate in replay.candidates if candidate.stopped]
    used = 100.0 * replay.epochs / (len(curves) * curves.max_epochs)
    best = metrics.best_of(truth, percent=10).tolist()
    overlaps = {
        f"overlap_{percent}": metrics.overlap(estimates, truth, percent=percent) for percent in (10, 20, 30)
    }
    gaps = {f"gap_{percent}": metrics.gap(estimates, truth, percent=percent) for percent in (10, 20, 30)}
    return Score(
        epochs_used_percent=used,
        epochs_saved_percent=100.0 - used,
        epochs_saved_vs_menndl_percent=100.0 * (1.0 - replay.epochs / menndl_epochs),
        throughput_factor=100.0 / used,
        **overlaps,
        **gaps,
        kendall_tau=metrics.kendall_tau(estimates, truth),
        regret=metrics.regret(estimates, truth),
        regret_retrained_3=metrics.regret(estimates, truth, num_retrained=min(NUM_RETRAINED, len(truth))),
        mae=_mean([abs(candidate.estimate - float(truth[candidate.index])) for candidate in stopped]),
        coverage_90=_coverage(stopped, truth.tolist()),
        num_stopped=float(len(stopped)),
        false_stop_percent=100.0 * _mean([float(replay.candidates[index].stopped) for index in best]),
    )


def menndl_epochs(curves: CurveSet) -> float:
    """Epochs that MENNDL's rule trains on these curves; NaN without training losses."""
    if not curves.knows_train_loss:
        return math.nan
    rule = preset(
        "menndl",
        max_epochs=curves.max_epochs,
        epochs_per_interval=min(curves.epochs_per_interval, curves.max_epochs),
    )
    return replay_alone(curves, [rule])[0].epochs


def means_of(scores: Sequence[Score]) -> dict[str, float]:
    """Mean of every figure over those scores that have it, and as `NAME_std` its standard deviation.

    The deviation (of the population, n in the denominator) is NaN where fewer than two scores have the figure.
    """
    names = [item.name for item in fields(Score)]
    known = {
        name: [value for value in (getattr(item, name) for item in scores) if math.isfinite(value)]
        for name in names
    }
    means = {name: _mean(values) for name, values in known.items()}
    spreads = {
        f"{name}_std": float(np.std(values)) if len(values) > 1 else math.nan
        for name, values in known.items()
    }
    return means | spreads


def _coverage(stopped: Sequence[Replayed], truth: Sequence[float]) -> float:
    intervals = [item for item in stopped if math.isfinite(item.low) and math.isfinite(item.high)]
    return _mean([float(item.low <= truth[item.index] <= item.high) for item in intervals])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
