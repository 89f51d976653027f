"""One campaign's record against the one that trained everything to the end: curves, decisions, estimates."""

from __future__ import annotations

import numpy as np

from benchmarks.bench.values import SHARES
from benchmarks.campaign_bench.values import CurveCheck, Quality, StopCheck
from hpc_nas.records.archive import CampaignRecord
from hpc_nas.records.layout import Rows
from hpc_nas.report.metrics import gap, kendall_tau, overlap, regret
from hpc_nas.report.rows import counted, curves, evaluated, first_stops

_CURVE_FIELDS = ("epoch", "val_accuracy", "val_loss", "train_accuracy", "train_loss", "learning_rate")


def compare_curves(record: CampaignRecord, *, truth: CampaignRecord) -> CurveCheck:
    """Is each curve of `record` bitwise the beginning of the same candidate's curve in `truth`?"""
    mine, full = curves(record), curves(truth)
    differing = [
        number for number, rows in mine.items() if number not in full or not _begins(full[number], rows)
    ]
    return CurveCheck(
        num_candidates=len(mine),
        num_observations=sum(len(rows) for rows in mine.values()),
        differing=tuple(differing),
    )


def _begins(whole: Rows, part: Rows) -> bool:
    return len(part) <= len(whole) and all(
        whole[name][: len(part)].tobytes() == part[name].tobytes() for name in _CURVE_FIELDS
    )


def compare_stops(record: CampaignRecord, *, truth: CampaignRecord) -> StopCheck:
    """Both decided by the same preset; `truth` carried nothing out."""
    decided = {number: float(row["epoch"]) for number, row in first_stops(record).items()}
    observed = {number: float(row["epoch"]) for number, row in first_stops(truth).items()}
    trained = {int(row["candidate"]): float(row["epochs"]) for row in counted(record, record.outcomes)}
    overshoot = [trained[number] - epoch for number, epoch in decided.items() if number in trained]
    return StopCheck(
        num_decided=len(decided),
        differing=tuple(sorted(number for number, epoch in decided.items() if observed.get(number) != epoch)),
        mean_overshoot_epochs=float(np.mean(overshoot)) if overshoot else float("nan"),
    )


def compare_estimates(record: CampaignRecord, *, truth: CampaignRecord, max_epochs: float) -> Quality:
    """Estimates of `record` against the best accuracy that the same candidates reached in `truth`.

    A candidate that failed in either, or has no estimate, is left out. Raises ValueError if all are.
    """
    estimates = _evaluated(record, field="estimate")
    accuracies = _evaluated(truth, field="best_accuracy")
    numbers = sorted(estimates.keys() & accuracies.keys())
    epochs = dict(
        zip(record.candidates["number"].tolist(), record.candidates["epochs"].tolist(), strict=True)
    )
    spent = float(sum(epochs[number] for number in numbers))
    estimated, true = [estimates[number] for number in numbers], [accuracies[number] for number in numbers]
    return Quality(
        num_candidates=len(numbers),
        excluded=tuple(sorted(set(truth.candidates["number"].tolist()) - set(numbers))),
        overlap=tuple(overlap(estimated, true, percent=share) for share in SHARES),
        gap=tuple(gap(estimated, true, percent=share) for share in SHARES),
        kendall_tau=kendall_tau(estimated, true),
        regret=regret(estimated, true),
        epochs=spent,
        epochs_saved_percent=100.0 * (1.0 - spent / (max_epochs * len(numbers))),
        numbers=tuple(numbers),
        estimates=tuple(estimated),
        accuracies=tuple(true),
    )


def _evaluated(record: CampaignRecord, *, field: str) -> dict[int, float]:
    rows = record.candidates[evaluated(record)]
    return {int(row["number"]): float(row[field]) for row in rows if np.isfinite(row[field])}
