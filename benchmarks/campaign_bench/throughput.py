"""Throughput and quality: `peng4nn` against `menndl` on the same candidates, with an observing run as truth."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.bench.campaigns import Setting, run_campaign
from benchmarks.bench.command import Workspace
from benchmarks.bench.values import Spread
from benchmarks.campaign_bench.comparison import compare_curves, compare_estimates, compare_stops
from benchmarks.campaign_bench.values import Contender, Run, Throughput
from hpc_nas.records.archive import CampaignRecord
from hpc_nas.report.rows import texts
from hpc_nas.report.summary import summarize

STOPPING = ("peng4nn", "menndl")
TRUTH = "observe"


def measure_throughput(
    workspace: Workspace,
    *,
    data: str,
    file: str,
    settings: dict[str, Setting],
    repeats: int,
) -> Throughput:
    """The observing campaign once, the stopping ones `repeats` times in turn; `data` names them."""
    full = _campaign(workspace, data=data, file=file, settings=settings, preset="peng4nn", mode="observe")
    stopped: dict[str, list[CampaignRecord]] = {preset: [] for preset in STOPPING}
    for _ in range(repeats):
        for preset in STOPPING:
            stopped[preset].append(
                _campaign(workspace, data=data, file=file, settings=settings, preset=preset, mode="stop")
            )
    max_epochs = float(full.configuration["training"]["max_epochs"])
    return Throughput(
        data=data,
        num_candidates=len(full.candidates),
        max_epochs=max_epochs,
        truth=_run(full, label=TRUTH),
        contenders=tuple(
            _contender(preset, records, truth=full, max_epochs=max_epochs)
            for preset, records in stopped.items()
        ),
        stops=tuple(compare_stops(record, truth=full) for record in stopped["peng4nn"]),
    )


def _campaign(
    workspace: Workspace, *, data: str, file: str, settings: dict[str, Setting], preset: str, mode: str
) -> CampaignRecord:
    return run_campaign(
        file,
        settings={**settings, "search.name": "random", "estimator.preset": preset, "estimator.mode": mode},
        run_dir=workspace.new_run_dir(f"{data}-{preset}-{mode}"),
    )


def _contender(
    preset: str, records: list[CampaignRecord], *, truth: CampaignRecord, max_epochs: float
) -> Contender:
    return Contender(
        preset=preset,
        runs=tuple(_run(record, label=preset) for record in records),
        quality=compare_estimates(records[0], truth=truth, max_epochs=max_epochs),
        curves=tuple(compare_curves(record, truth=truth) for record in records),
    )


def _run(record: CampaignRecord, *, label: str) -> Run:
    attempts, summary = record.attempts, summarize(record)
    start = float(np.nanmin(attempts["first_batch_time"]))
    left = np.sort(attempts["left_time"]) - start
    reasons = Counter(
        f"{state}: {reason}"
        for state, reason in zip(
            texts(record.candidates["state"]), texts(record.candidates["reason"]), strict=True
        )
    )
    return Run(
        label=label,
        elapsed_s=summary.elapsed_s,
        steady_s=float(left[-1]),
        epochs_trained=summary.epochs_trained,
        trainer_s=float(np.nansum(attempts["train_s"]) + np.nansum(attempts["validate_s"])),
        trainer_busy_percent=summary.trainer_busy_percent,
        outcomes=dict(reasons.most_common()),
        fit_s=Spread.of(record.forecasts["fit_s"]),
        left_s=tuple(round(float(value), 3) for value in left),
    )
