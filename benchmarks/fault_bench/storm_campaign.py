"""One campaign of the storm: its job, submitted again as often as it ends, until all candidates have outcomes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench.command import NotMeasured
from tools.slurm_cluster.campaigns import JobCampaign
from tools.slurm_cluster.cluster import ENDED, Cluster

MAX_FRUITLESS_JOBS = 3  # in a row, without an outcome: something else is wrong
STOP_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What each campaign of the storm is."""

    num_candidates: int
    num_nodes: int
    settings: tuple[str, ...] = ()


class StormCampaign:
    """Campaign `number`; what was begun in its directory goes on."""

    def __init__(self, cluster: Cluster, work_dir: Path, *, number: int, shape: Shape):
        directory = work_dir / f"campaign-{number:03d}"
        settings = (f"campaign.num_candidates={shape.num_candidates}", f"campaign.seed={number + 1}")
        self.cluster = cluster
        self.number = number
        self.records = JobCampaign(cluster, directory, *settings, *shape.settings)
        self._shape = shape
        self._seen_path = directory / "witness.npz"
        self.records.witness.restore(self._seen_path)
        self._begun = time.monotonic()
        self._ended = self._fruitless = 0
        self.num_jobs = 0
        self.gave_up: list[str] = []
        self.job = self._submit()
        self.excused = False  # a fault that ends the job has struck it

    @property
    def elapsed_s(self) -> float:
        """Since it was begun, or gone on with."""
        return round(time.monotonic() - self._begun, 1)

    @property
    def num_left(self) -> int:
        """Candidates without an outcome."""
        return self._shape.num_candidates - self.records.count("candidate_ended")

    @property
    def running(self) -> bool:
        """Does its job run?"""
        return self.cluster.state(self.job) == "RUNNING"

    def is_complete(self) -> bool:
        """Has it ended with all outcomes? A job that has ended without is followed by the next.

        Raises NotMeasured when jobs bring nothing any more.
        """
        self.records.witness.look()
        state = self.cluster.state(self.job)
        if state not in ENDED:
            return False
        self.num_jobs += 1
        if state == "COMPLETED":
            return True
        if not self.excused:
            self.gave_up.append(f"job {self.job} {state}: {self.records.last_words()}")
        self._check_fruit()
        self.cluster.reset()
        self.job, self.excused = self._submit(), False
        return False

    def stop(self) -> None:
        """End its job in order, to go on with it later."""
        self.cluster.cancel(self.job)
        self.records.wait(self.job, timeout_s=STOP_S)

    def keep(self) -> None:
        """Keep what was seen of its rank files."""
        self.records.witness.save(self._seen_path)

    def _submit(self) -> int:
        """The first time as a user does; then its script again, which takes a moment only."""
        if self.records.script.exists():
            return self.records.resubmit()
        (job,) = self.records.submit("--nodes", str(self._shape.num_nodes))
        return job

    def _check_fruit(self) -> None:
        before, self._ended = self._ended, self.records.count("candidate_ended")
        self._fruitless = self._fruitless + 1 if self._ended == before else 0
        if self._fruitless >= MAX_FRUITLESS_JOBS:
            raise NotMeasured(
                f"{self._fruitless} jobs in a row brought no outcome; the last one: {self.records.last_words()}"
            )
