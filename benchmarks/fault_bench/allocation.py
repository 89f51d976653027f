"""Where the time of an allocation went, job by job: from the ledger, the rank files and the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fault_bench.values import Share
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, Event, GroupReported, GroupStarted


@dataclass(frozen=True, kw_only=True)
class JobTimes:
    """A job by the scheduler's clock, seconds since the Unix epoch."""

    job: int
    start: float
    end: float


def shares(record: CampaignRecord, events: tuple[Event, ...], jobs: list[JobTimes]) -> tuple[Share, ...]:
    """One share for each job in which a campaign process ran and trained."""
    found = []
    for job in jobs:
        mine = [event for event in events if job.start <= event.time_s <= job.end + 1]
        if any(isinstance(event, CampaignOpened) for event in mine):
            share = _share(record, mine, job)
            found += [share] if share is not None else []
    return tuple(found)


def _share(record: CampaignRecord, events: list[Event], job: JobTimes) -> Share | None:
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
    if not parts:
        return None
    length = job.end - job.start
    percent = (100.0 * np.mean(parts, axis=0) / length).round(2).tolist()
    names = [name for name in Share.model_fields if name not in ("job", "allocation_s", "num_trainers")]
    return Share(
        job=job.job, allocation_s=length, num_trainers=len(parts), **dict(zip(names, percent, strict=True))
    )


def _trainers(record: CampaignRecord, groups: set[int]) -> set[tuple[int, int]]:
    return {(int(row["group"]), int(row["rank"])) for row in record.attempts if int(row["group"]) in groups}
