"""A scheduler is one class: a made-up one takes part in all that concerns schedulers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.configuration import Configuration, NodeLauncher
from hpc_nas.platforms import scheduler as schedulers
from hpc_nas.platforms.cluster_checks import check_scheduler
from hpc_nas.platforms.job_script import job_script
from hpc_nas.platforms.providers import make_provider
from hpc_nas.platforms.scheduler import SCHEDULERS, BatchScheduler, current_job
from hpc_nas.platforms.submission import submit_chain
from hpc_nas.platforms.walltime import find_deadline
from tests.unit.platforms.job_cases import SLURM, configuration, submission


class Queue(BatchScheduler):
    """A scheduler that no vendor has."""

    key = "queue"
    name = "Queue"
    job_variable = "QUEUE_JOB"
    prefix = "#QUEUE"
    no_output = "-o /dev/null"
    ping = ("qping",)
    submit = ("enqueue",)
    after = ("-behind", "{}")
    cancel = "dequeue"
    job_id = re.compile(r"^number (\d+)$", re.MULTILINE)
    extension = "queue"

    def options(self, configuration: Configuration, jobs_dir: Path) -> list[str]:
        return [f"-nodes {configuration.platform.num_nodes}", f"-o {jobs_dir}/queue.out"]

    def end_questions(self, number: str) -> list[list[str]]:
        return [["qend", number]]

    def read_end(self, answer: str, *, now: float) -> float | None:
        return now + float(answer)

    def provider(self, configuration: Configuration, blocks: dict[str, Any]) -> Any:
        return self.key, blocks["nodes_per_block"]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configuration:
    """A platform of that scheduler, whose commands are on PATH."""
    monkeypatch.setitem(SCHEDULERS, "queue", Queue())
    for name, says in (("qping", ""), ("enqueue", "number 7$#"), ("qend", "600")):
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\necho "{says}"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    made = configuration(SLURM)
    platform = made.platform.model_copy(
        update={"scheduler": "queue", "node_launcher": NodeLauncher.NONE, "num_nodes": 1, "directives": []}
    )
    return made.model_copy(update={"platform": platform})


def test_a_made_up_scheduler_has_its_job_script(queue: Configuration) -> None:
    at = replace(submission(), run_dir=Path("/runs/a"))
    assert [line for line in job_script(queue, at).splitlines() if line.startswith("#QUEUE")] == [
        "#QUEUE -nodes 1",
        "#QUEUE -o /runs/a.jobs/queue.out",
    ]


def test_a_made_up_scheduler_takes_a_chain(queue: Configuration, tmp_path: Path) -> None:
    script = tmp_path / "job.queue"
    script.write_text("")
    assert list(submit_chain(SCHEDULERS["queue"], script=script, length=2, working_dir=tmp_path)) == [
        "71",
        "73",
    ]


def test_a_made_up_scheduler_is_known_from_within_its_job(queue: Configuration, tmp_path: Path) -> None:
    inside = {"QUEUE_JOB": "12", "PATH": str(tmp_path)}
    job = current_job(inside)
    assert job is not None
    assert (job.scheduler.key, job.number, schedulers.job_number(inside)) == ("queue", "12", "12")
    assert find_deadline(queue, environment=inside, now=1000.0) == 1600.0


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "17"}, "17"),
        ({"LSB_JOBID": "18", "LSB_JOBINDEX": "2"}, "18[2]"),
        ({"PBS_JOBID": "19.server", "SLURM_JOB_ID": ""}, "19.server"),
    ],
)
def test_job_that_this_process_is_part_of(environment: dict[str, str], number: str) -> None:
    assert schedulers.job_number(environment) == number


def test_a_made_up_scheduler_is_examined(queue: Configuration, tmp_path: Path) -> None:
    finding = check_scheduler(queue, environment={"PATH": str(tmp_path)})
    assert finding.status == "OK"
    assert finding.detail.startswith("the platform wants Queue: 1 node(s), with the campaign in the job")


def test_a_made_up_scheduler_provides_blocks(queue: Configuration) -> None:
    platform = queue.platform.model_copy(update={"placement": "blocks"})
    assert make_provider(queue.model_copy(update={"platform": platform})) == ("queue", 1)
