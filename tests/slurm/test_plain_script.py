"""jobs/slurm.sbatch as a user submits it: a campaign cut by the warning signal, and taken up by the same line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.campaign.harness import BIN, HANG_S, ROOT, open_when_leaving
from tests.gate import Gate
from tools.slurm_cluster.campaigns import JobCampaign
from tools.slurm_cluster.cluster import Cluster, Whom

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]


def test_the_plain_script_runs_a_campaign_and_submitted_again_it_goes_on(
    slurm: Cluster, tmp_path: Path, gate: Gate
) -> None:
    campaign = JobCampaign(slurm, tmp_path)
    path = tmp_path / "campaign.toml"
    gate.close(batches=1)  # nobody passes
    space = f'[space]\nname = "{gate.space["name"]}"\ngate = "{gate.directory}"'
    text = path.read_text().replace("[space]", space)
    path.write_text(text.replace('name = "job"', 'name = "plain"\nnum_candidates = 2'))
    first = _sbatch(slurm, campaign)
    campaign.wait_for("attempt_started", at_least=1, timeout_s=HANG_S)
    slurm.signal(first, "USR1", whom=Whom.BATCH)  # as --signal=B:USR1@60 does
    open_when_leaving(gate, campaign.run_dir)
    campaign.wait(first, timeout_s=HANG_S)
    assert slurm.field(first, "ExitCode") == "3:0", campaign.tail()  # the campaign's own: not complete
    assert campaign.wait(_sbatch(slurm, campaign), timeout_s=HANG_S) == "COMPLETED", campaign.tail()
    verdict = campaign.verdict()
    assert verdict.clean, f"{verdict}\n{campaign.tail()}"
    assert verdict.num_candidates == 2


def _sbatch(slurm: Cluster, campaign: JobCampaign) -> int:
    """From the command line, with what differs in the environment. One node, and room beside other jobs."""
    jobs_dir = campaign.run_dir.with_name("run.jobs")  # where a failing test looks for what jobs said
    jobs_dir.mkdir(exist_ok=True)
    values = {
        "CONFIG": campaign.directory / "campaign.toml",
        "PLATFORM": campaign.directory / "platform.toml",
        "RUN_DIR": campaign.run_dir,
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    line = [
        "sbatch",
        "--parsable",
        "--nodes=1",
        f"--output={jobs_dir}/slurm-%j.out",
        "jobs/slurm.sbatch",
    ]
    done = subprocess.run(
        line,
        env={**os.environ, **slurm.environment, **{name: str(value) for name, value in values.items()}},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)
