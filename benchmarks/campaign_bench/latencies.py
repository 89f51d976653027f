"""How quickly trainers and estimator answer each other, from the records of real campaigns.

The same campaign runs with two trainers (the usual group) and with one: on a machine with fewer cores than ranks
the first shows what sharing a core adds, the second what the parts themselves take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench.campaigns import Setting, run_campaign
from benchmarks.bench.command import Workspace
from benchmarks.bench.values import Spread
from benchmarks.campaign_bench.values import CampaignLatencies, Latencies, Shape
from hpc_nas.records.archive import CampaignRecord
from hpc_nas.records.layout import Rows
from hpc_nas.report.rows import by_trainer
from hpc_nas.report.summary import summarize
from hpc_nas.values import State

Durations = dict[str, NDArray[np.float64]]
_PARTS = [name for name, field in CampaignLatencies.model_fields.items() if field.annotation is Spread]


def measure_latencies(
    workspace: Workspace,
    *,
    settings: dict[str, Setting],
    num_candidates: dict[int, int],
    repeats: int,
) -> Latencies:
    """`num_candidates` gives the length of the campaigns by number of trainers; digits, mode stop."""
    shapes = []
    for trainers, count in num_candidates.items():
        shape = {**settings, "campaign.num_candidates": count, "group.trainers_per_node": trainers}
        records = [
            run_campaign(
                "digits.toml", settings=shape, run_dir=workspace.new_run_dir(f"latencies-{trainers}-trainers")
            )
            for _ in range(repeats)
        ]
        shapes.append(_shape(records, num_ranks=trainers + 1))
    return Latencies(shapes=tuple(shapes))


def _shape(records: Sequence[CampaignRecord], *, num_ranks: int) -> Shape:
    every = [durations_of(record) for record in records]
    busy = [summarize(record).trainer_busy_percent for record in records]
    lengths = [len(record.candidates) for record in records]
    joined = {name: np.concatenate([durations[name] for durations in every]) for name in _PARTS}
    return Shape(
        num_ranks=num_ranks,
        repeats=tuple(
            _value(durations, busy=share, length=length)
            for durations, share, length in zip(every, busy, lengths, strict=True)
        ),
        pooled=_value(joined, busy=float(np.median(busy)), length=sum(lengths)),
    )


def _value(durations: Durations, *, busy: float, length: int) -> CampaignLatencies:
    spreads = {name: Spread.of(durations[name]) for name in _PARTS}
    return CampaignLatencies(
        num_candidates=length,
        num_signals=spreads["decided_to_left_s"].count,
        trainer_busy_percent=busy,
        **spreads,
    )


def durations_of(record: CampaignRecord) -> Durations:
    """Every duration of one campaign, by the name of its field in `CampaignLatencies`, seconds."""
    return {
        "batch_s": np.asarray(record.attempts["last_batch_s"], dtype=np.float64),
        **_stops(record),
        **_handovers(record),
        "read_lag_s": np.asarray(record.forecasts["read_lag_s"], dtype=np.float64),
        "fit_s": np.asarray(record.forecasts["fit_s"], dtype=np.float64),
    }


def _stops(record: CampaignRecord) -> Durations:
    """From the decision to stop to the trainer's being free.

    Beyond the batch in progress: what passes apart from one batch, which the trainer always ends first. The
    record does not say when within its batch the signal came, so this takes the whole batch off (never less
    than zero is left) and is the smallest that fits the record; `decided_to_left_s` takes nothing off.
    """
    attempts = {_key(row): row for row in record.attempts}
    stopped = record.outcomes[record.outcomes["state"] == State.STOPPED.encode()]
    pairs = [(outcome, attempts[_key(outcome)]) for outcome in stopped if _key(outcome) in attempts]

    def durations(duration: Callable[[np.void, np.void], float]) -> NDArray[np.float64]:
        return np.array([duration(outcome, attempt) for outcome, attempt in pairs], dtype=np.float64)

    sent = durations(lambda outcome, attempt: outcome["signal_time"] - outcome["decided_time"])
    seen = durations(lambda outcome, attempt: attempt["signal_time"] - outcome["signal_time"])
    left = durations(lambda outcome, attempt: attempt["left_time"] - attempt["signal_time"])
    batch = durations(lambda outcome, attempt: attempt["last_batch_s"])
    return {
        "decided_to_left_s": sent + seen + left,
        "beyond_batch_s": sent + np.maximum(seen - batch, 0.0) + left,
        "decided_to_sent_s": sent,
        "sent_to_seen_s": seen,
        "seen_to_left_s": left,
    }


def _handovers(record: CampaignRecord) -> Durations:
    """From a trainer's leaving of one candidate to the first batch of its next one."""
    trainers = list(by_trainer(record.attempts).values())

    def between(later: str, *, earlier: str, shift: int) -> NDArray[np.float64]:
        parts = [_difference(rows, later, earlier, shift) for rows in trainers]
        return np.concatenate(parts) if parts else np.empty(0)

    return {
        "handover_s": between("first_batch_time", earlier="left_time", shift=1),
        "left_to_received_s": between("received_time", earlier="left_time", shift=1),
        "received_to_first_batch_s": between("first_batch_time", earlier="received_time", shift=0),
    }


def _difference(rows: Rows, later: str, earlier: str, shift: int) -> NDArray[np.float64]:
    """Of the second attempt onwards; `shift` attempts lie between the two times."""
    until = len(rows) - 1 if shift else len(rows)
    return np.asarray(rows[later][1:] - rows[earlier][1 - shift : until], dtype=np.float64)


def _key(row: np.void) -> tuple[int, int, int]:
    return int(row["group"]), int(row["candidate"]), int(row["attempt"])
