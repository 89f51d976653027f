"""The control flow on LSF with jsrun, as far as a SIMULATION of its commands over Slurm can show it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.campaign.harness import ROOT, open_when_leaving
from tests.gate import Gate
from tools.slurm_cluster import lsf_simulation, lsf_translation
from tools.slurm_cluster.campaigns import (
    DRAIN_S,
    END_S,
    GRACE_S,
    LONG,
    START_S,
    JobCampaign,
    assert_nothing_lost,
)
from tools.slurm_cluster.cluster import Cluster
from tools.slurm_cluster.configuration import CPUS_PER_NODE

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

SUMMIT = ROOT / "configs" / "platforms" / "summit.toml"
STORED = ROOT / "tests" / "unit" / "platforms" / "stored" / "scripts"

# The nodes of the fixture are smaller, have no burst buffer, and their GPUs are none.
HERE = (
    "campaign.num_candidates=6",
    f"platform.cores_per_node={CPUS_PER_NODE}",
    "platform.gpus_per_node=0",
    "group.trainers_per_node=1",
    "group.threads_per_rank=1",
    f"group.orphan_grace_s={GRACE_S}",
    f"group.drain_s={DRAIN_S}",
)


def test_chain_of_jobs_by_bsub_and_jsrun_is_warned_and_goes_on(
    hosts: Cluster, tmp_path: Path, gate: Gate
) -> None:
    simulation = {**hosts.environment, **lsf_simulation.install(tmp_path / "simulation")}
    campaign = JobCampaign(
        hosts,
        tmp_path,
        *LONG,
        *HERE,
        *gate.settings(),
        f"platform.scratch={hosts.local_dir}",
        platform=SUMMIT,
        environment=simulation,
    )
    first, second = campaign.submit("--nodes", "2", "--chain", "2", "--account", "abc123")
    assert hosts.state(second) == "PENDING"
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    # As -wa USR2 -wt 1 does a minute before the end of the run limit.
    campaign.command("bkill", "-s", "USR2", str(first))
    open_when_leaving(gate, campaign.run_dir)
    campaign.wait(first, timeout_s=END_S)
    assert hosts.field(first, "ExitCode") == "3:0", campaign.tail()  # not complete: for the next job
    (closed,) = campaign.events("campaign_closed")
    assert closed["reason"] == "stopped by SIGUSR2"
    assert all(event["checkpoint"] for event in campaign.events("attempt_interrupted"))

    assert campaign.wait(second, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.verdict().epochs_repeated == 0
    opened = campaign.events("campaign_opened")
    assert [event["job_id"] for event in opened] == [str(first), str(second)]
    for event in opened:  # an hour, told by bjobs
        assert 3000 < event["deadline_time"] - event["time_s"] < 3600
    assert len({event["host"] for event in campaign.events("group_reported")}) == 2


@pytest.mark.parametrize(
    ("script", "nodes"),
    [
        ("csm.lsf", ["--nodes=8", "--exclusive"]),
        ("generic.lsf", ["--gpus-per-node=4"]),
    ],
)
def test_every_option_of_a_generated_script_has_a_translation(script: str, nodes: list[str]) -> None:
    text = (STORED / script).read_text()
    options = lsf_translation.script_options(text)
    translated = lsf_translation.sbatch_options(options)
    assert set(nodes) <= set(translated)
    assert any(option.startswith("--signal=B:USR2@") for option in translated)


def test_what_has_no_translation_is_refused(tmp_path: Path) -> None:
    lsf_simulation.install(tmp_path)
    for line in (["bsub", "-K"], ["bjobs", "-l", "1"], ["bkill", "-r", "1"], ["bsub", "-w", "done(1)"]):
        done = subprocess.run(
            [str(tmp_path / "lsf-bin" / line[0]), *line[1:]],
            input="#!/bin/bash\ntrue\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"{line[0]}: not simulated: ")
