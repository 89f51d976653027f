"""When did training go on after a fault? From the ledger and the rank files of the campaign, once it has ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from benchmarks.fault_bench.values import NODE_LOSSES, Fault
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.ledger import CandidateEnded, Event, GroupStarted


def measured(fault: Fault, record: CampaignRecord, events: tuple[Event, ...]) -> Fault:
    """The fault with its time of recovery; NaN where another fault came in between, or nothing was left to train.

    A killed process, group or campaign is replaced: recovered as soon as as many trainers train as were lost, each in a
    group that was started later. A lost node is not: recovered once what it trained is trained elsewhere, or has
    its outcome by what was found of it; behind a cut link a short training comes to its end.
    """
    if fault.overlapping:
        return fault
    if fault.kind in NODE_LOSSES:
        again = _candidates_again(fault, record, events)
    else:
        later = {e.group for e in events if isinstance(e, GroupStarted) and e.time_s > fault.time_s}
        starts = sorted(_trainers_start(record, groups=later))
        again = starts[fault.num_trainers - 1] if 0 < fault.num_trainers <= len(starts) else math.nan
    return fault.model_copy(update={"recovered_s": again - fault.time_s})


def well_again(fault: Fault, events: list[dict[str, Any]]) -> bool:
    """By the ledger so far: as many candidates have ended in later groups as trainers were lost.

    For a lost node: all that was in training there has ended.
    """
    ended = [e for e in events if e["event"] == "candidate_ended" and e["time_s"] > fault.time_s]
    if fault.kind in NODE_LOSSES:
        return set(fault.candidates) <= {event["outcome"]["candidate"] for event in ended}
    later = {e["group"] for e in events if e["event"] == "group_started" and e["time_s"] > fault.time_s}
    return sum(event["group"] in later for event in ended) >= fault.num_trainers


def first_batches(record: CampaignRecord) -> dict[tuple[int, int, int, int], float]:
    """When each attempt trained its first batch, by (group, rank, candidate, attempt).

    An attempt whose trainer was killed has no row of its own; its first observation tells, less the time it took.
    """
    found: dict[tuple[int, int, int, int], float] = {}
    own = record.observations[record.observations["carried"] == 0]
    for row in own:
        began = float(row["time_s"] - row["train_s"] - row["validate_s"])
        key = _key(row)
        found[key] = min(began, found.get(key, math.inf))
    for row in record.attempts:
        if not math.isnan(row["first_batch_time"]):
            found[_key(row)] = float(row["first_batch_time"])
    return found


def _trainers_start(record: CampaignRecord, *, groups: set[int]) -> Iterable[float]:
    """When each trainer of these groups began its first training."""
    first: dict[tuple[int, int], float] = {}
    for (group, rank, _, _), began in first_batches(record).items():
        if group in groups:
            first[group, rank] = min(began, first.get((group, rank), math.inf))
    return first.values()


def _candidates_again(fault: Fault, record: CampaignRecord, events: tuple[Event, ...]) -> float:
    """When the last of the candidates in training there was trained elsewhere, or had its outcome without."""
    again = {
        event.outcome.candidate: event.time_s
        for event in events
        if isinstance(event, CandidateEnded)
        and event.outcome.candidate in fault.candidates
        and event.time_s > fault.time_s
    }
    for (group, _, candidate, _), began in first_batches(record).items():
        if candidate in fault.candidates and group not in fault.groups and began > fault.time_s:
            again[candidate] = min(began, again.get(candidate, math.inf))
    return max(again.values(), default=math.nan)


def _key(row: object) -> tuple[int, int, int, int]:
    return tuple(int(row[name]) for name in ("group", "rank", "candidate", "attempt"))  # type: ignore[index, return-value]
