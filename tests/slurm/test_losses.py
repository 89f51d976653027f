"""Campaigns as batch jobs that lose nodes, links and daemons. What must be zero is judged from the records."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate import Gate
from tools.slurm_cluster.campaigns import END_S, LONG, START_S, JobCampaign, assert_nothing_lost
from tools.slurm_cluster.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]


def test_campaign_goes_on_without_a_node_that_is_lost_and_one_behind_a_cut_link(
    hosts: Cluster, tmp_path: Path, gate: Gate
) -> None:
    """The groups of both leave no process behind, though nobody can tell the one behind the link to."""
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=9", *LONG, *gate.settings())
    (job,) = campaign.submit("--nodes", "3")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    batch = hosts.field(job, "BatchHost")
    lost, cut = (name for name in hosts.job_nodes(job) if name != batch)
    hosts.kill_node(lost)
    hosts.cut(cut)
    gate.open()
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=9)
    assert not any(event["charged"] for event in campaign.events("attempt_lost"))


def test_campaign_outlives_the_death_of_a_slurmd_under_a_group(
    slurm: Cluster, tmp_path: Path, gate: Gate
) -> None:
    campaign = JobCampaign(slurm, tmp_path, "campaign.num_candidates=8", *LONG, *gate.settings())
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=2, timeout_s=START_S)
    batch = slurm.field(job, "BatchHost")
    slurm.kill_slurmd(next(name for name in slurm.job_nodes(job) if name != batch))
    gate.open()
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=8)


def test_job_that_is_requeued_after_a_lost_node_goes_on(hosts: Cluster, tmp_path: Path, gate: Gate) -> None:
    whole = (
        "platform.directives=['--no-kill=off']"  # Slurm ends the job with any of its nodes, and requeues it
    )
    campaign = JobCampaign(hosts, tmp_path, "campaign.num_candidates=6", *LONG, *gate.settings(), whole)
    (job,) = campaign.submit("--nodes", "2")
    campaign.wait_for("candidate_ended", at_least=1, timeout_s=START_S)
    hosts.kill_node(hosts.field(job, "BatchHost"))
    gate.open()
    hosts.wait_for(lambda: hosts.state(job) == "PENDING", timeout_s=END_S, what="the requeue", job=job)
    assert campaign.wait(job, timeout_s=END_S) == "COMPLETED", campaign.tail()
    assert_nothing_lost(campaign, num_candidates=6)
    assert campaign.count("campaign_opened") == 2
