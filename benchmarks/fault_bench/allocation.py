"""Where the time of an allocation went, job by job: from the ledger, the rank files and the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.fault_bench.values import Share
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, Event, GroupReported, GroupStarted


@dataclass(frozen=True, kw_only=True)
class JobTimes:
    """A job by the scheduler's clock, seconds since the Unix epoch."""

    job: int
    start: float
    end: float


def shares(record: CampaignRecord, events: tuple[Event, ...], jobs: list[JobTimes]) -> tuple[Share, ...]:
    """One share for each job up to the one that completed the campaign; those after it had nothing to do."""
    found = []
    for job in jobs:
        mine = [event for event in events if job.start - 1 <= event.time_s <= job.end + 1]
        if any(isinstance(event, CampaignOpened) for event in mine):
            found.append(_share(record, mine, job))
        if any(isinstance(event, CampaignClosed) and event.reason == "complete" for event in mine):
            break
    return tuple(found)


def _share(record: CampaignRecord, events: list[Event], job: JobTimes) -> Share:
    opened = next(event.time_s for event in events if isinstance(event, CampaignOpened))
    closed = next((event.time_s for event in events if isinstance(event, CampaignClosed)), job.end)
    started = {event.group: event.time_s for event in events if isinstance(event, GroupStarted)}
    reported = {event.group: event.time_s for event in events if isinstance(event, GroupReported)}
    parts = []
    for group, rank in sorted(_trainers(record, set(reported))):
        mine = record.attempts[(record.attempts["group"] == group) & (record.attempts["rank"] == rank)]
        received, left = float(mine["received_time"].min()), float(mine["left_time"].max())
        training = float(mine["train_s"].sum() + mine["validate_s"].sum())
        parts.append(
            [
                opened - job.start,
                started[group] - opened,
                reported[group] - started[group],
                received - reported[group],
                training,
                left - received - training,
                closed - left,
                job.end - closed,
            ]
        )
    if not parts:  # it was over before a trainer had begun
        parts = [[opened - job.start, 0.0, 0.0, closed - opened, 0.0, 0.0, 0.0, job.end - closed]]
    length = job.end - job.start
    percent = (100.0 * np.mean(parts, axis=0) / length).round(2).tolist()
    names = [name for name in Share.model_fields if name not in ("job", "allocation_s", "num_trainers")]
    return Share(
        job=job.job,
        allocation_s=length,
        num_trainers=_num_trainers(record),
        **dict(zip(names, percent, strict=True)),
    )


def _num_trainers(record: CampaignRecord) -> int:
    """Of a whole allocation."""
    platform, group = record.configuration["platform"], record.configuration["group"]
    return int(platform["num_nodes"]) * int(group["groups_per_node"]) * int(group["trainers_per_node"])


def _trainers(record: CampaignRecord, groups: set[int]) -> set[tuple[int, int]]:
    return {(int(row["group"]), int(row["rank"])) for row in record.attempts if int(row["group"]) in groups}
