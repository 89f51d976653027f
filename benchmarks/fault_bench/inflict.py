"""Does one fault to a running campaign, and says what it took away."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

from benchmarks.fault_bench.storm_campaign import StormCampaign
from benchmarks.fault_bench.targets import Family, family, find_targets
from benchmarks.fault_bench.values import Fault, Kind
from tools.slurm_cluster.campaigns import GRACE_S, JobCampaign
from tools.slurm_cluster.processes import processes_naming

# Beyond the time of grace: what Slurm itself takes to end a job's processes, on two busy cores.
LATE_S = 15.0


def inflict(kind: Kind, site: StormCampaign, *, chance: random.Random) -> tuple[Fault, list[Family]] | None:
    """Strike one target of this kind, picked at random. None where there is none just now."""
    groups = _living_groups(site.records)
    if not groups:
        return None
    everything = processes_naming(str(site.records.run_dir))
    if kind in (Kind.TRAINER, Kind.ESTIMATOR, Kind.GROUP):
        targets = find_targets(site.records.run_dir)
        of_kind = {
            Kind.TRAINER: targets.trainers,
            Kind.ESTIMATOR: targets.estimators,
            Kind.GROUP: targets.launches,
        }[kind]
        known = [(group, pid) for group, pid in of_kind if group in groups]
        if not known:
            return None
        group, pid = chance.choice(known)
        return _kill(kind, site, pid=pid, groups={group: groups[group]}), []
    if kind is Kind.POOL:
        pools = find_targets(site.records.run_dir).pools
        if not pools:
            return None
        pid = chance.choice(pools)
        there = {g: host for g, host in groups.items() if host == site.cluster.node_of(pid)}
        return (_kill(kind, site, pid=pid, groups=there), []) if there else None
    due = time.monotonic() + GRACE_S + LATE_S
    if kind is Kind.CAMPAIGN:
        pid = site.records.events("campaign_opened")[-1]["pid"]
        return _kill(kind, site, pid=pid, groups=groups), [family(everything, due=due, what=kind)]
    if kind is Kind.SCANCEL:
        fault = _fault(kind, site, groups=groups)
        site.cluster.cancel(site.job)
        return fault, [family(everything, due=due, what=kind)]
    return _lose_node(kind, site, groups=groups, chance=chance, due=due)


def _lose_node(
    kind: Kind, site: StormCampaign, *, groups: dict[int, str], chance: random.Random, due: float
) -> tuple[Fault, list[Family]] | None:
    """Never the first node of the job: that would be the end of the job, and is tested elsewhere."""
    batch = site.cluster.field(site.job, "BatchHost")
    nodes = [name for name in site.cluster.job_nodes(site.job) if name != batch and name in groups.values()]
    if not nodes:
        return None
    node = chance.choice(nodes)
    there = {group: host for group, host in groups.items() if host == node}
    ours = set(processes_naming(str(site.records.run_dir)))
    mine = [pid for pid in site.cluster.processes_of(node) if pid in ours]
    fault = _fault(kind, site, groups=there)
    if kind is Kind.NODE:
        site.cluster.kill_node(node)
    else:
        site.cluster.cut(node)
    return fault, [family(mine, due=due, what=f"{kind} {node}")]


def _kill(kind: Kind, site: StormCampaign, *, pid: int, groups: dict[int, str]) -> Fault:
    fault = _fault(kind, site, groups=groups)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return fault


def _fault(kind: Kind, site: StormCampaign, *, groups: dict[int, str]) -> Fault:
    trainers = {e["group"]: e["num_trainers"] for e in site.records.events("group_reported")}
    return Fault(
        kind=kind,
        campaign=site.number,
        time_s=time.time(),
        groups=tuple(sorted(groups)),
        num_trainers=sum(trainers[group] for group in groups),
        candidates=tuple(sorted(_in_training(site.records, set(groups)))),
        overlapping=False,
    )


def _living_groups(campaign: JobCampaign) -> dict[int, str]:
    """The groups that have brought an outcome and have not ended, with their nodes."""
    found: dict[int, str] = {}
    worked: set[int] = set()
    for event in campaign.events():
        if event["event"] == "campaign_opened":
            found.clear()
        elif event["event"] == "group_reported":
            found[event["group"]] = event["host"]
        elif event["event"] == "group_ended":
            found.pop(event["group"], None)
        elif event["event"] == "candidate_ended":
            worked.add(event["group"])
    return {group: host for group, host in found.items() if group in worked}


def _in_training(campaign: JobCampaign, groups: set[int]) -> set[int]:
    """The candidates that were handed to these groups longest ago and have not ended: one for each trainer."""
    held: dict[int, list[int]] = {group: [] for group in groups}
    trainers: dict[int, int] = {}
    for event in campaign.events():
        name, group = event["event"], event.get("group")
        if group not in groups:
            continue
        if name == "group_reported":
            trainers[group] = event["num_trainers"]
        elif name == "attempt_started":
            held[group].append(event["candidate"])
        elif name in ("candidate_ended", "attempt_lost", "attempt_interrupted"):
            number = event["outcome"]["candidate"] if name == "candidate_ended" else event["candidate"]
            if number in held[group]:
                held[group].remove(number)
    return {number for group in groups for number in held[group][: trainers.get(group, 0)]}
