"""Campaigns as batch jobs: placement and planned ends. What must be zero is judged from the records."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.campaign.harness import open_when_leaving
from tests.clock import MovedClock
from tests.gate import Gate
from tools.slurm_cluster.campaigns import (
    END_S,
    LONG,
    START_S,
    JobCampaign,
    assert_nothing_lost,
)
from tools.slurm_cluster.cluster import Cluster, Whom

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]


def test_campaign_runs_a_group_on_each_node_of_its_job(hosts: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=6")
    (job,) = campaign.submit("--nodes", "3")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.verdict().epochs_repeated == 0
    assert sorted(event["host"] for event in campaign.events("group_reported")) == ["n1", "n2", "n3"]
    assert campaign.events("campaign_opened")[0]["job_id"] == str(job)


def test_several_groups_share_a_node(slurm: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", "group.groups_per_node=2")
    (job,) = campaign.submit("--nodes", "1")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.count("group_reported") == 2


def test_walltime_warning_sets_candidates_aside_and_the_next_job_of_the_chain_takes_them_up(
    slurm: Cluster, tmp_path: Path, gate: Gate
) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", *LONG, *gate.settings())
    first, second = campaign.submit("--nodes", "2", "--chain", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    slurm.signal(first, "USR1", whom=Whom.BATCH)  # as --signal=B:USR1@... does
    open_when_leaving(gate, campaign.run_dir)
    campaign.wait(first, timeout_s=END_S)
    _assert_set_aside(campaign)
    assert campaign.wait(second, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.verdict().epochs_repeated == 0


def test_campaign_leaves_by_the_clock_before_its_allocation_ends(
    slurm: Cluster, tmp_path: Path, gate: Gate
) -> None:
    """Once there are outcomes the clock is moved on to where the end of its allocation is near."""
    deadline, drain_s, clock = time.time() + 3600.0, 60, MovedClock(tmp_path / "clock")
    ends = (f"platform.setup=['export HPC_NAS_DEADLINE={deadline:.0f}']", f"group.drain_s={drain_s}")
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", *LONG, *gate.settings(), *ends)
    with clock.environment(os.environ):  # which the job inherits
        (job,) = campaign.submit("--nodes", "1")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    clock.move(deadline - drain_s - time.time())
    open_when_leaving(gate, campaign.run_dir)
    campaign.wait(job, timeout_s=END_S)
    closed = campaign.events("campaign_closed")[-1]
    assert "walltime" in closed["reason"], closed
    deadline_time = campaign.events("campaign_opened")[0]["deadline_time"]
    assert closed["time_s"] < deadline_time
    _assert_set_aside(campaign)


def test_cancelled_job_sets_its_candidates_aside_within_kill_wait(
    slurm: Cluster, tmp_path: Path, gate: Gate
) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", *LONG, *gate.settings())
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    slurm.cancel(job)
    gate.open()  # at once: Slurm kills what is left after KillWait
    assert campaign.wait(job, timeout_s=END_S) == "CANCELLED"
    (job,) = campaign.submit("--nodes", "2")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)


def _assert_set_aside(campaign: JobCampaign) -> None:
    """What was being trained has a checkpoint; what is lost was only held ready, and charges nobody."""
    interrupted = campaign.events("attempt_interrupted")
    assert interrupted, campaign.tail()
    assert all(event["how"] == "drained" and event["checkpoint"] for event in interrupted), interrupted
    lost = campaign.events("attempt_lost")
    assert not any(event["charged"] or event["quarantined"] for event in lost), lost
    rows = campaign.verdict().observed_attempts
    assert not rows & {(event["candidate"], event["attempt"]) for event in lost}, lost


def test_directory_that_shells_and_slurm_read_as_more_than_a_path_simply_works(
    slurm: Cluster, tmp_path: Path
) -> None:
    campaign = JobCampaign(slurm, tmp_path / "my %j ü;touch INJECTED", "campaign.num_candidates=2")
    (job,) = campaign.submit("--nodes", "2")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    (said,) = campaign.script.parent.glob("slurm-*.out")
    assert said.name == f"slurm-{job}.out"
    assert_nothing_lost(campaign, num_candidates=2)
    assert list(tmp_path.rglob("INJECTED")) == []
    assert [path.name for path in tmp_path.iterdir()] == [campaign.directory.name]
    (parsl,) = (campaign.run_dir / "parsl").iterdir()
    assert parsl.is_dir()
    assert not parsl.is_symlink()
