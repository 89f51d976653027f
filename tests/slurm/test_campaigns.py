"""Campaigns as batch jobs: placement, planned ends, lost nodes. What must be zero is judged from the records."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.campaigns import JobCampaign
from tests.slurm.cluster import Cluster, Whom

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(700)]

# On a quiet machine none takes longer than a minute; two cores may have others to serve.
END_S = 300.0
START_S = 300.0

LONG = ("training.max_epochs=8", "estimator.preset=none")


def test_campaign_runs_a_group_on_each_node_of_its_job(hosts: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=12")
    (job,) = campaign.submit("--nodes", "3")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=12)
    assert campaign.verdict().epochs_repeated == 0
    assert sorted(event["host"] for event in campaign.events("group_reported")) == ["n1", "n2", "n3"]
    assert campaign.events("campaign_opened")[0]["job_id"] == str(job)


def test_several_groups_share_a_node(slurm: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=8", "group.groups_per_node=2")
    (job,) = campaign.submit("--nodes", "1")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=8)
    assert campaign.count("group_reported") == 2


def test_walltime_warning_sets_candidates_aside_and_the_next_job_of_the_chain_takes_them_up(
    slurm: Cluster, tmp_path: Path
) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", *LONG)
    first, second = campaign.submit("--nodes", "2", "--chain", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    slurm.signal(first, "USR1", whom=Whom.BATCH)  # as --signal=B:USR1@... does
    campaign.wait(first, timeout_s=90)
    _assert_set_aside(campaign)
    assert campaign.wait(second, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.verdict().epochs_repeated == 0


def test_campaign_leaves_by_the_clock_before_its_allocation_ends(slurm: Cluster, tmp_path: Path) -> None:
    ends = "platform.setup=['export HPC_NAS_DEADLINE=$(($(date +%s) + 60))']"
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=200", *LONG, ends)
    (job,) = campaign.submit("--nodes", "1")
    campaign.wait(job, timeout_s=END_S)
    closed = campaign.events("campaign_closed")[-1]
    assert "walltime" in closed["reason"], closed
    deadline_time = campaign.events("campaign_opened")[0]["deadline_time"]
    assert closed["time_s"] < deadline_time
    _assert_set_aside(campaign)


def test_cancelled_job_sets_its_candidates_aside_within_kill_wait(slurm: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=6", *LONG)
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    slurm.cancel(job)
    assert campaign.wait(job, timeout_s=90) == "CANCELLED"
    (job,) = campaign.submit("--nodes", "2")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=6)


def test_campaign_goes_on_without_a_node_that_is_lost(hosts: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=8", *LONG)
    (job,) = campaign.submit("--nodes", "3")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    hosts.kill_node("n3")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=8)
    assert not any(event["charged"] for event in campaign.events("attempt_lost"))


def test_group_behind_a_cut_link_leaves_by_itself_and_the_campaign_goes_on(
    hosts: Cluster, tmp_path: Path
) -> None:
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=8", *LONG)
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    hosts.cut("n2")
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=8)
    assert not any(event["charged"] for event in campaign.events("attempt_lost"))


def test_campaign_outlives_the_death_of_a_slurmd_under_a_group(slurm: Cluster, tmp_path: Path) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=8", *LONG)
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    batch = slurm.field(job, "BatchHost")
    slurm.kill_slurmd(next(name for name in slurm.job_nodes(job) if name != batch))
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=8)


def test_job_that_is_requeued_after_a_lost_node_goes_on(hosts: Cluster, tmp_path: Path) -> None:
    whole = (
        "platform.directives=['--no-kill=off']"  # Slurm ends the job with any of its nodes, and requeues it
    )
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=6", *LONG, whole)
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=1, timeout_s=START_S)
    hosts.kill_node(hosts.field(job, "BatchHost"))
    hosts.wait_for(lambda: hosts.state(job) == "PENDING", timeout_s=90, what="the requeue", job=job)
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    _assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.count("campaign_opened") == 2


def _assert_nothing_lost(campaign: JobCampaign, *, num_candidates: int) -> None:
    verdict = campaign.verdict()
    assert verdict.clean, f"{verdict}\n{campaign.tail()}"
    assert verdict.num_candidates == num_candidates


def _assert_set_aside(campaign: JobCampaign) -> None:
    """What was being trained has a checkpoint; what is lost was only held ready, and charges nobody."""
    interrupted = campaign.events("attempt_interrupted")
    assert interrupted, campaign.tail()
    assert all(event["how"] == "drained" and event["checkpoint"] for event in interrupted), interrupted
    lost = campaign.events("attempt_lost")
    assert not any(event["charged"] or event["suspect"] for event in lost), lost
    rows = campaign.verdict().observed_attempts
    assert not rows & {(event["candidate"], event["attempt"]) for event in lost}, lost
