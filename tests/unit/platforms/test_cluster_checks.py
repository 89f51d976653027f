"""What a platform wants of a cluster is looked for, and asked: a scheduler that does not answer takes no job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpc_nas.configuration import Configuration, load_configuration
from hpc_nas.errors import LaunchError
from hpc_nas.platforms import cluster_checks
from hpc_nas.platforms.cluster_checks import (
    MAX_RANKS_PER_CORE,
    check_inside,
    check_scheduler,
    check_scratch,
)
from hpc_nas.platforms.doctor import examine
from hpc_nas.platforms.finding import Finding
from tests.gate import HANG_S

SLURM = ("platform.scheduler=slurm", "platform.node_launcher=srun", "platform.num_nodes=4")
LOCAL = load_configuration(None)


def load(*settings: str) -> Configuration:
    return load_configuration(None, settings=settings)


def commands(directory: Path, **scripts: str) -> dict[str, str]:
    """An environment in which these commands are all there is."""
    for name, script in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return {"PATH": str(directory)}


def test_schedulers_are_told_where_none_is_wanted(tmp_path: Path) -> None:
    environment = commands(tmp_path, sbatch="", qsub="")
    found = check_scheduler(LOCAL, environment=environment)
    assert (found.status, found.detail) == (
        "OK",
        "Slurm, PBS found: campaigns run on this machine alone, as asked",
    )
    found = check_scheduler(LOCAL, environment={"PATH": ""})
    assert found.detail == "none found: campaigns run on this machine alone, as asked"


def test_scheduler_that_is_wanted_and_answers_is_good(tmp_path: Path) -> None:
    environment = commands(tmp_path, sbatch="", scontrol="echo 'Slurmctld(primary) at login1 is UP'")
    found = check_scheduler(load(*SLURM, "platform.walltime=02:00:00"), environment=environment)
    assert found == Finding(
        name="scheduler",
        status="OK",
        detail="the platform wants Slurm: 4 node(s), with the campaign in the job, for 02:00:00; it answers",
    )
    blocks = load(*SLURM, "platform.placement=blocks", "platform.num_blocks=3", "platform.walltime=02:00:00")
    assert check_scheduler(blocks, environment=environment).detail == (
        "the platform wants Slurm: 3 block(s) of 4 node(s), submitted from here, for 02:00:00; it answers"
    )


@pytest.mark.parametrize(("scheduler", "command"), [("slurm", "sbatch"), ("lsf", "bsub"), ("pbs", "qsub")])
def test_scheduler_that_is_wanted_and_not_there_fails(tmp_path: Path, scheduler: str, command: str) -> None:
    found = check_scheduler(load(f"platform.scheduler={scheduler}"), environment={"PATH": str(tmp_path)})
    assert found.failed
    assert found.detail.endswith(f"; no {command} on PATH")
    assert found.advice.startswith("load the module that brings ")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'Slurmctld(primary) at login1 is DOWN'", "Slurmctld(primary) at login1 is DOWN"),
        ("echo 'slurm_ping: Unable to contact' >&2; exit 1", "slurm_ping: Unable to contact"),
    ],
)
def test_scheduler_that_does_not_serve_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr(cluster_checks, "ANSWER_WITHIN_S", HANG_S)
    found = check_scheduler(load(*SLURM), environment=commands(tmp_path, sbatch="", scontrol=script))
    assert found.failed
    assert found.detail.endswith(said)
    assert "ask Slurm's administrators" in found.advice


def test_scheduler_that_does_not_answer_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_checks, "ANSWER_WITHIN_S", 0.3)
    environment = commands(tmp_path, sbatch="", scontrol="exec /bin/sleep 3600")
    found = check_scheduler(load(*SLURM), environment=environment)
    assert found.failed
    assert found.detail.endswith("timed out after 0.3 seconds")


def test_inside_of_a_job_its_end_is_told_and_the_launcher_looked_for(tmp_path: Path) -> None:
    environment = commands(
        tmp_path,
        scontrol="echo 'Slurmctld(primary) at login1 is UP'",
        squeue="/bin/date -d '+61 minutes' +%s",
    )
    environment["SLURM_JOB_ID"] = "7"
    found = check_scheduler(load(*SLURM), environment=environment)
    assert found.failed
    assert found.detail.endswith("; no srun on PATH")
    found = check_scheduler(load(*SLURM), environment=environment | commands(tmp_path, srun=""))
    assert found.detail.endswith("; it answers; this is job 7, which ends in 61 min")


def test_campaign_of_an_allocation_is_refused_outside_of_one() -> None:
    """Its srun would ask for an allocation of its own, and the campaign wait for groups that nobody starts."""
    with pytest.raises(LaunchError, match="inside a Slurm job, and this is none; use hpc-nas submit"):
        check_inside(load(*SLURM), environment={})
    check_inside(load(*SLURM), environment={"SLURM_JOB_ID": "7"})
    check_inside(load(*SLURM, "platform.placement=blocks", "platform.walltime=02:00:00"), environment={})
    check_inside(LOCAL, environment={})


def test_far_more_ranks_than_this_machine_has_cores_are_refused_here_and_only_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    most = 2 * MAX_RANKS_PER_CORE - 1
    check_inside(load(f"group.trainers_per_node={most}"), environment={})
    with pytest.raises(
        LaunchError, match=rf"trainers_per_node = {most + 1} .* are {most + 2} ranks on .* 2 cores"
    ):
        check_inside(load(f"group.trainers_per_node={most + 1}"), environment={})
    check_inside(
        load(*SLURM, f"group.trainers_per_node={most + 1}", "platform.gpus_per_node=0"),
        environment={"SLURM_JOB_ID": "7"},
    )


def test_scratch_is_tried_where_the_nodes_are(tmp_path: Path) -> None:
    environment = {"BURST": str(tmp_path), "PATH": ""}
    here = load("platform.scratch=$BURST")
    assert "can be written" in check_scratch(here, environment=environment).detail
    assert list(tmp_path.iterdir()) == []
    missing = check_scratch(load("platform.scratch=${BURST}/none"), environment=environment)
    assert (missing.status, missing.detail) == (
        "WARN",
        f"{tmp_path}/none can't be written: No such file or directory",
    )
    unset = check_scratch(here, environment={"PATH": ""})
    assert (unset.status, unset.detail) == ("WARN", "$BURST names a variable that is not set here")
    outside = check_scratch(load(*SLURM, "platform.scratch=$BURST"), environment={"PATH": ""})
    assert outside.detail == "$BURST is the nodes' own: not tried from outside of a job"
    assert check_scratch(LOCAL, environment={}).status == "OK"


def test_login_node_is_not_asked_for_the_nodes_cores_and_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_JOB_ID", "LSB_JOBID", "PBS_JOBID"):
        monkeypatch.delenv(name, raising=False)
    environment = commands(tmp_path, sbatch="", scontrol="echo UP")
    monkeypatch.setenv("PATH", f"{environment['PATH']}:{os.environ['PATH']}")
    shape = ("platform.gpus_per_node=8", "group.trainers_per_node=8", "group.threads_per_rank=64")
    found = examine(load(*SLURM, *shape, "platform.scratch=/mnt/bb"), directory=tmp_path)
    by_name = {finding.name: finding for finding in found}
    assert {finding.name: finding.status for finding in found} == dict.fromkeys(
        ("cores", "MPI", "GPUs", "HDF5", "disk", "paths", "Parsl", "messages", "scheduler", "scratch"), "OK"
    )
    assert "the nodes' 8 are seen in a job alone" in by_name["GPUs"].detail
    assert "on each node trainers use 512 threads" in by_name["cores"].detail
