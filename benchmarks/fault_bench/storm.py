"""The storm: campaigns one after the other, with faults of all kinds at random times, until the plan is done."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fault_bench.inflict import Site, inflict
from fault_bench.jobs import NotMeasured
from fault_bench.recovery import measured
from fault_bench.targets import Family
from fault_bench.values import NEW_JOB, NODE_LOSSES, Fault, Judged, Kind, Storm
from hpc_nas.records.archive import assemble
from hpc_nas.records.run_directory import RunDirectory
from tests.slurm.campaigns import JobCampaign
from tests.slurm.cluster import ENDED, Cluster

POLL_S = 0.25
CALM_S = 5.0  # mean time between all being well again and the next fault
OVERLAP = 0.15  # share of the faults that come without waiting for that
RECOVERY_LIMIT_S = 180.0
MIN_CANDIDATES_LEFT = 12  # no fault once there is too little left to see training go on
MAX_FRUITLESS_JOBS = 3  # in a row, without an outcome: something else is wrong


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What each campaign of the storm is."""

    num_candidates: int
    num_nodes: int
    settings: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Watch:
    """The fault that is being waited for: what the ledger must show before all is well again."""

    fault: Fault
    since: float = field(default_factory=time.monotonic)


class StormDriver:
    """Goes on where `storm` stands; hands every new standing to `keep`."""

    def __init__(
        self, cluster: Cluster, storm: Storm, *, shape: Shape, work_dir: Path, keep: Callable[[Storm], None]
    ):
        self._cluster = cluster
        self._shape = shape
        self._work_dir = work_dir
        self._keep = keep
        self.storm = storm
        self._random = random.Random(f"{storm.seed} {len(storm.faults)}")
        self._families: list[Family] = []
        self._clock = time.monotonic()

    def run(self, *, until: float) -> None:
        """Until the plan is done, or time.monotonic() says `until`: the campaign then stops in order."""
        while self.storm.remaining or any(f.campaign == len(self.storm.campaigns) for f in self.storm.faults):
            if not self._campaign(len(self.storm.campaigns), until=until):
                return

    # --- one campaign --------------------------------------------------------------------------------------

    def _campaign(self, number: int, *, until: float) -> bool:
        """Run it to its end, or to `until`; has it ended?"""
        directory = self._work_dir / f"campaign-{number:03d}"
        settings = (f"campaign.num_candidates={self._shape.num_candidates}", f"campaign.seed={number + 1}")
        campaign = JobCampaign(self._cluster, directory, *settings, *self._shape.settings)
        campaign.witness.restore(directory / "witness.npz")
        begun, jobs, fruitless, ended = time.monotonic(), 0, 0, 0
        gave_up: list[str] = []
        watch: _Watch | None = None
        next_fault = time.monotonic() + self._random.expovariate(1 / CALM_S)
        job = self._submit(campaign)
        while True:
            time.sleep(POLL_S)
            campaign.witness.look()
            self._check_families()
            state = self._cluster.state(job)
            if state in ENDED:
                jobs += 1
                if state == "COMPLETED":
                    break
                if watch is None or watch.fault.kind not in NEW_JOB:
                    gave_up.append(f"job {job} {state}: {campaign.last_words()}")
                fruitless = fruitless + 1 if campaign.count("candidate_ended") == ended else 0
                ended = campaign.count("candidate_ended")
                if fruitless >= MAX_FRUITLESS_JOBS:
                    raise NotMeasured(
                        f"{fruitless} jobs in a row brought no outcome; the last one: {campaign.last_words()}"
                    )
                self._restore_nodes()
                job = self._submit(campaign)
                continue
            if time.monotonic() > until:
                self._stop(campaign, job)
                campaign.witness.save(directory / "witness.npz")
                self._save(elapsed=True)
                return False
            if watch is not None and self._is_well(campaign, watch):
                watch = None
                next_fault = time.monotonic() + self._random.expovariate(1 / CALM_S)
            if (watch is None and time.monotonic() > next_fault) and self._may_strike(campaign, state):
                watch = self._strike(campaign, job, number=number)
                if self._random.random() < OVERLAP:
                    watch, next_fault = None, time.monotonic() + self._random.uniform(0.5, CALM_S)
        self._judge(campaign, number, jobs=jobs, gave_up=gave_up, elapsed_s=time.monotonic() - begun)
        shutil.rmtree(directory / "run" / "parsl", ignore_errors=True)
        return True

    def _submit(self, campaign: JobCampaign) -> int:
        """The first time as a user does; then its script again, which takes a moment only."""
        if not campaign.script.exists():
            (job,) = campaign.submit("--nodes", str(self._shape.num_nodes))
            return job
        return campaign.resubmit()

    def _stop(self, campaign: JobCampaign, job: int) -> None:
        self._cluster.cancel(job)
        campaign.wait(job, timeout_s=60)

    def _restore_nodes(self) -> None:
        self._cluster.reset()

    # --- faults ----------------------------------------------------------------------------------------------

    def _may_strike(self, campaign: JobCampaign, state: str) -> bool:
        left = self._shape.num_candidates - campaign.count("candidate_ended")
        return bool(self.storm.remaining) and state == "RUNNING" and left >= MIN_CANDIDATES_LEFT

    def _strike(self, campaign: JobCampaign, job: int, *, number: int) -> _Watch | None:
        remaining = self.storm.remaining
        if self._cluster.lost_nodes() or len(self._cluster.job_nodes(job)) < 2:
            # Its nodes don't come back to a job: a kind that brings a new one is next, if any is left.
            remaining = {kind: n for kind, n in remaining.items() if kind in NEW_JOB} or {
                kind: n for kind, n in remaining.items() if kind not in NODE_LOSSES
            }
        if not remaining:
            remaining = {
                Kind.SCANCEL: 1
            }  # nothing of the plan can strike here; a new job has all nodes again
        kinds, weights = zip(*sorted(remaining.items()), strict=True)
        kind = self._random.choices(kinds, weights)[0]
        site = Site(cluster=self._cluster, campaign=campaign, job=job, number=number)
        struck = inflict(kind, site, chance=self._random)
        if struck is None:
            return None
        fault, families = struck
        self._families += families
        last = self.storm.faults[-1] if self.storm.faults else None
        if last is not None and last.campaign == number and not self._was_well(campaign, last):
            last = last.model_copy(update={"overlapping": True})
            self.storm = self.storm.model_copy(update={"faults": (*self.storm.faults[:-1], last)})
        self.storm = self.storm.model_copy(update={"faults": (*self.storm.faults, fault)})
        self._save()
        print(f"  campaign {number}: {fault.kind} (groups {list(fault.groups)})", flush=True)
        return _Watch(fault=fault)

    def _is_well(self, campaign: JobCampaign, watch: _Watch) -> bool:
        return self._was_well(campaign, watch.fault) or time.monotonic() - watch.since > RECOVERY_LIMIT_S

    def _was_well(self, campaign: JobCampaign, fault: Fault) -> bool:
        """As many candidates have ended in later groups as trainers were lost; for a lost node, after the loss."""
        after = [e for e in campaign.events() if e["time_s"] > fault.time_s]
        if fault.kind in NODE_LOSSES:
            told = [e["time_s"] for e in after if e["event"] == "group_ended" and e["group"] in fault.groups]
            return bool(told) and any(
                e["event"] == "candidate_ended" and e["time_s"] > told[0] for e in after
            )
        last = max(fault.groups, default=-1)
        ended = [e for e in after if e["event"] == "candidate_ended" and e["group"] > last]
        return len(ended) >= fault.num_trainers

    # --- what must be zero -------------------------------------------------------------------------------------

    def _check_families(self) -> None:
        now, kept = time.monotonic(), []
        for one in self._families:
            if now < one.due:
                kept.append(one)
            elif left := one.left():
                self.storm = self.storm.model_copy(update={"left_over": (*self.storm.left_over, *left)})
                self._save()
        self._families = kept

    def _judge(
        self, campaign: JobCampaign, number: int, *, jobs: int, gave_up: list[str], elapsed_s: float
    ) -> None:
        verdict = campaign.verdict()
        record = assemble(RunDirectory.open(campaign.run_dir))
        faults = tuple(
            measured(fault, record) if fault.campaign == number else fault for fault in self.storm.faults
        )
        names = set(Judged.model_fields)
        values = {name: getattr(verdict, name) for name in names if hasattr(verdict, name)}
        judged = Judged(
            campaign=number,
            num_faults=sum(fault.campaign == number for fault in faults),
            jobs=jobs,
            elapsed_s=round(elapsed_s, 1),
            gave_up=tuple(gave_up),
            **values,
        )
        self.storm = self.storm.model_copy(
            update={"faults": faults, "campaigns": (*self.storm.campaigns, judged)}
        )
        self._save(elapsed=True)
        print(
            f"  campaign {number}: {'clean' if verdict.clean else 'NOT CLEAN: ' + str(verdict)}", flush=True
        )

    def _save(self, *, elapsed: bool = False) -> None:
        if elapsed:
            now = time.monotonic()
            self.storm = self.storm.model_copy(
                update={"elapsed_s": round(self.storm.elapsed_s + now - self._clock, 1)}
            )
            self._clock = now
        self._keep(self.storm)
