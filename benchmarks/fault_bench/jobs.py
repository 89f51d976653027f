"""Whole campaigns by jobs, timed by the scheduler: what the chain and the utilisation are measured on."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from benchmarks.bench.command import NotMeasured
from benchmarks.bench.values import Spread
from benchmarks.fault_bench.allocation import JobTimes, shares
from benchmarks.fault_bench.values import Chain, Share, Utilisation
from hpc_nas.records.archive import assemble
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.ledger import CandidateEnded, Event, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from tools.slurm_cluster.campaigns import DRAIN_S, JobCampaign
from tools.slurm_cluster.cluster import Cluster

JOB_LIMIT_S = 3600.0
LEAVE_S = DRAIN_S + 10.0  # what a job needs at its end: draining, a margin, closing the recorder
NUM_JOBS = 5
SPARE_JOBS = 4
START_SLACK = 1.2  # a job's start may take longer than that of the one it is reckoned by

Outcomes = dict[int, tuple[str, str, float | None, float]]


def measure_utilisation(
    cluster: Cluster, *, work_dir: Path, num_nodes: int, num_candidates: int, settings: tuple[str, ...]
) -> Utilisation:
    """One campaign in one job on all nodes."""
    campaign, (job,) = _run(
        cluster, work_dir / "utilisation", num_nodes, f"campaign.num_candidates={num_candidates}", *settings
    )
    record, events = _read(campaign)
    (share,) = shares(record, events, [job])
    took = record.attempts["left_time"] - record.attempts["received_time"]
    return Utilisation(
        num_nodes=num_nodes, num_candidates=num_candidates, candidate_s=Spread.of(took), share=share
    )


def measure_chain(
    cluster: Cluster, *, work_dir: Path, num_nodes: int, num_candidates: int, settings: tuple[str, ...]
) -> Chain:
    """The campaign in one job, and again in jobs so short that it takes about NUM_JOBS of them."""
    settings = (f"campaign.num_candidates={num_candidates}", *settings)
    single, jobs = _run(cluster, work_dir / "single", num_nodes, *settings)
    (whole,) = shares(*_read(single), jobs)
    limit_s = _job_length(whole)
    ends = f"platform.setup=['export HPC_NAS_DEADLINE=$(($(date +%s) + {limit_s}))']"
    chained, jobs = _run(cluster, work_dir / "chain", num_nodes, *settings, ends, chain=NUM_JOBS + SPARE_JOBS)
    chain = shares(*_read(chained), jobs)
    before, after = _outcomes(_read(single)[1]), _outcomes(_read(chained)[1])
    once, more = single.verdict(), chained.verdict()
    return Chain(
        num_candidates=num_candidates,
        jobs=len(chain),
        same_outcomes=before == after,
        differences=tuple(
            f"candidate {number}: {before.get(number)} in one job, {after.get(number)} in the chain"
            for number in sorted(before.keys() | after.keys())
            if before.get(number) != after.get(number)
        ),
        epochs_repeated=more.epochs_repeated,
        batches_repeated_after_planned_ends=more.batches_repeated_after_planned_ends,
        epochs_trained_single=once.epochs_trained,
        epochs_trained_chain=more.epochs_trained,
        single=(whole,),
        chain=chain,
    )


def _job_length(whole: Share) -> int:
    """Seconds of a job, such that the start and the end that each has leave a fifth of the training in between."""
    start = whole.before_campaign + whole.before_groups + whole.before_reports + whole.before_training
    training = whole.allocation_s * (whole.training + whole.between) / 100
    return math.ceil(START_SLACK * whole.allocation_s * start / 100 + training / (NUM_JOBS - 0.5) + LEAVE_S)


def _run(
    cluster: Cluster, directory: Path, num_nodes: int, *settings: str, chain: int = 1
) -> tuple[JobCampaign, list[JobTimes]]:
    """Submit and wait for the end of all jobs; raises NotMeasured if the campaign is not complete then."""
    campaign = JobCampaign(cluster, directory, *settings)
    numbers = campaign.submit("--nodes", str(num_nodes), "--chain", str(chain))
    for number in numbers:
        state = campaign.wait(number, timeout_s=JOB_LIMIT_S)
    if state != "COMPLETED":
        raise NotMeasured(f"{directory}: job {number} ended as {state}\n{campaign.tail()}")
    return campaign, [_times(cluster, number) for number in numbers]


def _times(cluster: Cluster, job: int) -> JobTimes:
    def clock(name: str) -> float:
        return datetime.fromisoformat(cluster.field(job, name)).timestamp()

    return JobTimes(job=job, start=clock("StartTime"), end=clock("EndTime"))


def _read(campaign: JobCampaign) -> tuple[CampaignRecord, tuple[Event, ...]]:
    directory = RunDirectory.open(campaign.run_dir)
    return assemble(directory), read_ledger(directory.ledger_path).events


def _outcomes(events: tuple[Event, ...]) -> Outcomes:
    ended = [event.outcome for event in events if isinstance(event, CandidateEnded)]
    return {one.candidate: (one.state, one.reason, one.estimate, one.epochs) for one in ended}
