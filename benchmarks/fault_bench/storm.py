"""The storm: campaigns one after the other, with faults of all kinds at random times, until the plan is done."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.fault_bench.inflict import inflict
from benchmarks.fault_bench.recovery import measured, well_again
from benchmarks.fault_bench.storm_campaign import Shape, StormCampaign
from benchmarks.fault_bench.targets import Family
from benchmarks.fault_bench.values import NEW_JOB, NODE_LOSSES, Fault, Judged, Kind, Storm
from hpc_nas.campaign.provenance import source_commit
from hpc_nas.records.archive import assemble
from hpc_nas.records.ledger import read_ledger
from hpc_nas.records.run_directory import RunDirectory
from tools.slurm_cluster.cluster import Cluster

POLL_S = 0.25
CALM_S = 5.0  # mean time between all being well again and the next fault
OVERLAP = 0.15  # share of the faults after which the next one comes without waiting for that
RECOVERY_LIMIT_S = 300.0
MIN_CANDIDATES_LEFT = 8  # no fault once there is too little left to see training go on


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
        self._awaited: Fault | None = None
        self._next_fault = 0.0

    def run(self, *, until: float) -> None:
        """Until the plan is done, or time.monotonic() says `until`: the campaign then stops in order."""
        while self.storm.remaining or any(f.campaign == len(self.storm.campaigns) for f in self.storm.faults):
            self._cluster.reset()
            number = len(self.storm.campaigns)
            campaign = StormCampaign(self._cluster, self._work_dir, number=number, shape=self._shape)
            try:
                if not self._serve(campaign, until=until):
                    return
            finally:
                campaign.keep()
                self._update(elapsed=True)
            self._judge(campaign)

    def _serve(self, campaign: StormCampaign, *, until: float) -> bool:
        """Strike the campaign until it has ended; False if `until` came first."""
        self._calm_down()
        while not campaign.is_complete():
            time.sleep(POLL_S)
            self._check_families()
            now = time.monotonic()
            if now > until:
                campaign.stop()
                return False
            if self._awaited is not None:
                overdue = time.time() - self._awaited.time_s > RECOVERY_LIMIT_S
                if overdue or well_again(self._awaited, campaign.records.events()):
                    self._calm_down()
            elif now > self._next_fault and self._may_strike(campaign):
                self._strike(campaign)
        return True

    def _calm_down(self) -> None:
        self._awaited = None
        self._next_fault = time.monotonic() + self._random.expovariate(1 / CALM_S)

    # --- faults ----------------------------------------------------------------------------------------------

    def _may_strike(self, campaign: StormCampaign) -> bool:
        return bool(self.storm.remaining) and campaign.running and campaign.num_left >= MIN_CANDIDATES_LEFT

    def _strike(self, campaign: StormCampaign) -> None:
        kind = self._pick(campaign)
        struck = inflict(kind, campaign, chance=self._random)
        if struck is None:  # no such target just now
            return
        fault, families = struck
        self._families += families
        self._mark_overlapping(campaign)
        self._update(faults=(*self.storm.faults, fault))
        campaign.excused = campaign.excused or kind in NEW_JOB
        print(f"  campaign {campaign.number}: {kind} (groups {list(fault.groups)})", flush=True)
        self._awaited = fault
        if self._random.random() < OVERLAP:
            self._awaited, self._next_fault = None, time.monotonic() + self._random.uniform(0.5, CALM_S)

    def _pick(self, campaign: StormCampaign) -> Kind:
        """By what is still to come. A job that has lost a node gets none back: what brings a new one is next."""
        remaining = self.storm.remaining
        if self._cluster.lost_nodes():
            remaining = {kind: n for kind, n in remaining.items() if kind in NEW_JOB} or {
                kind: n for kind, n in remaining.items() if kind not in NODE_LOSSES
            }
        if not remaining:
            return Kind.SCANCEL  # beyond the plan, so that the lost nodes still to come find a job with nodes
        kinds, weights = zip(*sorted(remaining.items()), strict=True)
        return Kind(self._random.choices(kinds, weights)[0])

    def _mark_overlapping(self, campaign: StormCampaign) -> None:
        """The fault before the new one was not recovered from yet: its time can't be told apart."""
        if not self.storm.faults or self.storm.faults[-1].campaign != campaign.number:
            return
        last = self.storm.faults[-1]
        if not well_again(last, campaign.records.events()):
            last = last.model_copy(update={"overlapping": True})
            self._update(faults=(*self.storm.faults[:-1], last))

    # --- what must be zero -----------------------------------------------------------------------------------

    def _check_families(self) -> None:
        now, kept = time.monotonic(), []
        for one in self._families:
            if now < one.due:
                kept.append(one)
            elif left := one.left():
                self._update(left_over=(*self.storm.left_over, *left))
        self._families = kept

    def _judge(self, campaign: StormCampaign) -> None:
        number, verdict = campaign.number, campaign.records.verdict()
        run_dir = campaign.records.run_dir
        directory = RunDirectory.open(run_dir)
        record, events = assemble(directory), read_ledger(directory.ledger_path).events
        faults = tuple(measured(f, record, events) if f.campaign == number else f for f in self.storm.faults)
        values = {name: getattr(verdict, name) for name in Judged.model_fields if hasattr(verdict, name)}
        judged = Judged(
            campaign=number,
            num_faults=sum(fault.campaign == number for fault in faults),
            jobs=campaign.num_jobs,
            elapsed_s=campaign.elapsed_s,
            gave_up=tuple(campaign.gave_up),
            commit=source_commit(),
            **values,
        )
        self._update(faults=faults, campaigns=(*self.storm.campaigns, judged))
        shutil.rmtree(run_dir / "parsl", ignore_errors=True)
        print(f"  campaign {number}: {'clean' if verdict.clean else f'NOT CLEAN: {verdict}'}", flush=True)

    def _update(self, *, elapsed: bool = False, **changes: object) -> None:
        if elapsed:
            now = time.monotonic()
            changes["elapsed_s"] = round(self.storm.elapsed_s + now - self._clock, 1)
            self._clock = now
        self.storm = self.storm.model_copy(update=changes)
        self._keep(self.storm)
