"""Runs one planned campaign, and trains to the end what it picks: that is what a search is worth."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from benchmarks.bench.campaigns import run_campaign
from benchmarks.bench.environment import Conditions
from benchmarks.search_bench.plans import Plan
from benchmarks.search_bench.values import Measured, Pick
from hpc_nas.configuration import Configuration
from hpc_nas.group.trainer_resources import prepare_resources
from hpc_nas.records.archive import CampaignRecord
from hpc_nas.report.rows import evaluated, ranking
from hpc_nas.report.summary import summarize
from hpc_nas.tasks.cache import data_cache_dir
from hpc_nas.training.session import Session
from hpc_nas.values import Candidate

__all__ = ["NUM_PICKS", "final_accuracy", "measure", "picks"]

NUM_PICKS = 3
CAMPAIGN_FILE = Path(__file__).with_name("digits.toml")


def measure(plan: Plan, *, run_dir: Path) -> Measured:
    """Run the campaign and sum it up. Raises CampaignFailed."""
    before = Conditions.now()
    settings = dict(plan.settings)
    if plan.space == "lstm":
        settings["data.name"] = str(_write_prose(run_dir.with_suffix(".txt")))
    record = run_campaign(str(CAMPAIGN_FILE), settings=settings, run_dir=run_dir)
    summary, done = summarize(record), record.candidates[evaluated(record)]
    left, first = record.attempts["left_time"], record.attempts["first_batch_time"]
    return Measured(
        plan=plan,
        conditions=before,
        elapsed_s=summary.elapsed_s,
        training_span_s=float(np.nanmax(left) - np.nanmin(first)),
        epochs_trained=summary.epochs_trained,
        trainer_busy_percent=summary.trainer_busy_percent,
        outcomes=summary.outcomes,
        reasons=summary.reasons,
        redraws=int(record.candidates["redraws"].sum()),
        picks=picks(record),
        numbers=tuple(done["number"].tolist()),
        estimates=tuple(done["estimate"].tolist()),
        accuracies=tuple(done["best_accuracy"].tolist()),
        macs=tuple(done["macs"].tolist()),
    )


def _write_prose(path: Path) -> Path:
    path.write_text("\n".join(topics[name] for name in sorted(topics)), encoding="utf-8")
    return path


def picks(record: CampaignRecord) -> tuple[Pick, ...]:
    """The NUM_PICKS candidates with the highest estimates, as `[finalists]` takes them."""
    return tuple(_picked(record, row) for row in ranking(record)[:NUM_PICKS])


def _picked(record: CampaignRecord, row: np.void) -> Pick:
    to_the_end = float(row["epochs"]) >= float(record.configuration["training"]["max_epochs"])
    return Pick(
        candidate=int(row["number"]),
        estimate=float(row["estimate"]),
        spread=float(row["spread"]),
        final=float(row["best_accuracy"]) if to_the_end else final_accuracy(record, int(row["number"])),
        macs=int(row["macs"]),
    )


def final_accuracy(record: CampaignRecord, number: int) -> float:
    """Best validation accuracy of the candidate with the full budget: trained here, with its own seed, on the CPU.

    Its curve begins with the recorded one, bit by bit, on the same machine.
    """
    configuration = Configuration.model_validate_json(json.dumps(record.configuration))
    bench = prepare_resources(configuration, cache_dir=data_cache_dir(), local_rank=0)
    index = record.candidates["number"].tolist().index(number)
    row = record.candidates[index]
    candidate = Candidate(
        number=number,
        seed=int(row["seed"]),
        parameters=record.parameters[index],
        num_parameters=int(row["num_parameters"]),
        num_layers=int(row["num_layers"]),
        macs=int(row["macs"]),
    )
    session = Session(
        candidate,
        space=bench.space,
        data=bench.data,
        section=configuration.training,
        device=bench.device,
    )
    best = 0.0
    while session.intervals_done < session.intervals.num_intervals:
        for _ in range(session.batches_left):
            session.train_batch()
        for _ in range(session.validation_batches_left):
            session.validate_batch()
        best = max(best, session.validation_means().accuracy)
        session.next_interval()
    return best
