"""Whole campaigns as jobs of the Slurm fixture, submitted by `hpc-nas submit` as a user does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.ledger_events import count, events
from tools.slurm_cluster.cluster import ENDED, Cluster, ClusterError
from tools.slurm_cluster.processes import command_line, processes_naming
from tools.slurm_cluster.verdict import Verdict, Witness, judge

BIN = Path(sys.executable).parent
GRACE_S = 10
DRAIN_S = 5  # the fixture's Slurm kills 8 s after SIGTERM

# On a quiet machine nothing takes longer than a minute; two cores may have others to serve.
END_S = 300.0
START_S = 300.0

LONG = ("training.max_epochs=8", "estimator.preset=none")

CAMPAIGN = """
[campaign]
name = "job"
[data]
name = "digits"
[training]
max_epochs = 2
batch_size = 64
[space]
max_conv_layers = 2
max_filters = 8
[estimator]
audit_share = 0.0
[checkpoints]
interval_s = 0.5
"""

PLATFORM = f"""
[platform]
name = "fixture"
scheduler = "slurm"
node_launcher = "srun"
walltime = "00:10:00"
[group]
trainers_per_node = 1
orphan_grace_s = {GRACE_S}
drain_s = {DRAIN_S}
backoff_s = 0.2
"""


class JobCampaign:
    """One campaign, by however many jobs. Settings are those of `--set`.

    `platform` is the platform file, the fixture's own if none is named; `environment` is laid over the tests' own.
    """

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        *settings: str,
        platform: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self.cluster = cluster
        self.directory = directory
        self.platform = platform or directory / "platform.toml"
        self.environment = dict(environment or cluster.environment)
        self.run_dir = directory / "run"
        self.settings = settings
        self.witness = Witness(self.run_dir)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "campaign.toml").write_text(CAMPAIGN)
        (directory / "platform.toml").write_text(PLATFORM)

    def submit(self, *options: str) -> list[int]:
        """`hpc-nas submit` with these options; the jobs' numbers."""
        line = [str(BIN / "hpc-nas"), "submit", str(self.directory / "campaign.toml")]
        line += [
            "--platform",
            str(self.platform),
            "--run-dir",
            str(self.run_dir),
            *options,
        ]
        for setting in self.settings:
            line += ["--set", setting]
        # By its absolute path alone: jobs inherit the environment, and must find all without an activated one.
        answer = self.command(*line)
        return [int(number) for number in re.findall(r"^job (\d+)$", answer, re.MULTILINE)]

    def command(self, *line: str) -> str:
        """A command as its user gives it; what it prints. Raises ClusterError where it fails."""
        # By its absolute path alone: jobs inherit the environment, and must find all without an activated one.
        environment = {**os.environ, **self.environment, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=150, env=environment, cwd=self.directory
        )
        if done.returncode != 0:
            raise ClusterError(f"{' '.join(line)}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def script(self) -> Path:
        """The job script that `submit` has written."""
        return self.run_dir.with_name(f"{self.run_dir.name}.jobs") / "job.sbatch"

    def resubmit(self) -> int:
        """sbatch of the same script again, as its own text says one may."""
        line = ["sbatch", "--parsable", str(self.script)]
        return int(self.cluster.command(*line).split(";")[0])

    def last_words(self) -> str:
        """The last line that a job of this campaign has printed."""
        lines = [line for line in self.tail().splitlines() if line.strip()]
        return lines[-1] if lines else "(nothing)"

    def count(self, event: str) -> int:
        """How often an event stands in the ledger."""
        return count(self.run_dir, event)

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The ledger's events of these kinds, so far."""
        return [event for event in events(self.run_dir) if not names or event["event"] in names]

    def wait_for(self, event: str, *, at_least: int, timeout_s: float) -> None:
        """Until the ledger holds so many of these; looks at the rank files meanwhile."""

        def reached() -> bool:
            self.witness.look()
            return self.count(event) >= at_least

        self.cluster.wait_for(reached, timeout_s=timeout_s, what=f"{at_least} x {event}\n{self.tail()}")

    def wait(self, job: int, *, timeout_s: float) -> str:
        """Until the job has ended; its state. Looks at the rank files meanwhile."""

        def over() -> bool:
            self.witness.look()
            return self.cluster.state(job) in ENDED

        try:
            self.cluster.wait_for(over, timeout_s=timeout_s, what=f"the end of job {job}", job=job)
        except ClusterError as error:
            raise ClusterError(f"{error}\n{self.tail()}") from error
        return self.cluster.state(job)

    def verdict(self) -> Verdict:
        """Once all is over: waits for the time of grace, then judges."""
        deadline = time.monotonic() + GRACE_S
        while (left := self.left_over()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.witness.look()
        return judge(self.run_dir, witness=self.witness, left_over=left)

    def left_over(self) -> list[str]:
        """Processes that name the run directory."""
        return [f"{pid} {command_line(pid)}" for pid in processes_naming(str(self.run_dir))]

    def tail(self) -> str:
        """The last lines of what the jobs and the campaign said, for messages."""
        paths = [*sorted(self.run_dir.with_name("run.jobs").glob("*.out")), self.run_dir / "campaign.log"]
        texts = [f"--- {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in paths if p.exists()]
        return "\n".join(texts)


def assert_nothing_lost(campaign: JobCampaign, *, num_candidates: int) -> None:
    """The zeros of a campaign that is complete."""
    verdict = campaign.verdict()
    assert verdict.clean, f"{verdict}\n{campaign.tail()}"
    assert verdict.num_candidates == num_candidates
