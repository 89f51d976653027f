"""Stop signals in a real MPI job: stale and late ones change nothing, a right one ends the attempt in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.platforms.launch_line import find_mpiexec, group_environment, mpi_line
from hpc_nas.records.layout import Rows
from hpc_nas.records.rank_file import read_rank_file
from hpc_nas.records.run_directory import RunDirectory
from tests.conftest import ROOT
from tests.gate import HANG_S, Gate
from tests.mpi.harness import HERE, configure

pytestmark = pytest.mark.mpi

NUM_INTERVALS = 2
BATCHES_PER_INTERVAL = 17  # of 64 of digits' 1150 training images, an epoch each


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a trainer rank recorded, and what the scripted estimator heard of it."""

    attempts: Rows
    observations: Rows
    heard: list[dict[str, Any]]

    def attempt(self, candidate: int) -> Any:
        """The one row of this candidate."""
        (row,) = self.attempts[self.attempts["candidate"] == candidate]
        return row

    def epochs(self, candidate: int) -> list[float]:
        """Where this candidate was observed."""
        epochs: list[float] = self.observations["epoch"][self.observations["candidate"] == candidate].tolist()
        return epochs

    def sent_time(self, candidate: int) -> float:
        """When the last signal for this candidate was sent."""
        times = [i["time"] for i in self.heard if i["kind"] == "sent" and i["candidate"] == candidate]
        return float(max(times))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The script, from its beginning to its end."""
    path = tmp_path_factory.mktemp("signals")
    configuration = configure(
        f"training.max_epochs={NUM_INTERVALS}",
        "training.epochs_per_interval=1",
        "group.trainers_per_node=1",
        gate=Gate(path / "gate"),
    )
    directory = RunDirectory.create(path / "run")
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    directory.create_group_dir(0)
    program = HERE / "programs" / "scripted_estimator.py"
    line = mpi_line(
        find_mpiexec(configuration.platform.mpiexec),
        num_ranks=2,
        command=[sys.executable, "-m", "mpi4py", str(program), str(directory.path), str(path / "gate")],
    )
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        stdin=subprocess.DEVNULL,
        env={**group_environment(configuration, inherited=os.environ), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content = read_rank_file(directory.rank_file_path(0, 0))
    return Job(
        attempts=content.tables["attempts"],
        observations=content.tables["observations"],
        heard=json.loads((Path(directory.path) / "heard.json").read_text()),
    )


def ended(row: Any) -> tuple[str, str]:
    return row["state"].decode(), row["reason"].decode()


def test_every_candidate_was_trained_once_in_order(job: Job) -> None:
    assert job.attempts["candidate"].tolist() == [0, 1, 2, 3, 4]
    assert job.attempts["attempt"].tolist() == [1, 0, 0, 0, 0]
    left = [item for item in job.heard if item["kind"] == "left"]
    assert [(item["candidate"], item["attempt"]) for item in left] == [(0, 1), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert [(item["state"], item["reason"]) for item in left] == [ended(row) for row in job.attempts]


@pytest.mark.parametrize("candidate", [0, 1, 4])
def test_signal_for_another_attempt_or_candidate_is_ignored(job: Job, candidate: int) -> None:
    """0: signals for its other attempts; 1: one for 0, which is over; 4: one that came twice for 3."""
    row = job.attempt(candidate)
    assert ended(row) == ("finished", "full_budget")
    assert row["batches"] == NUM_INTERVALS * BATCHES_PER_INTERVAL
    assert row["signal_time"] != row["signal_time"]  # NaN: none was seen
    assert job.epochs(candidate) == [1.0, 2.0]


def test_right_signal_ends_the_attempt_at_the_next_batch_boundary(job: Job) -> None:
    row = job.attempt(2)
    assert ended(row) == ("stopped", "unlikely_best")
    assert row["epochs"] == 1.0
    assert job.epochs(2) == [1.0]  # sent after the first observation, seen before the second
    assert BATCHES_PER_INTERVAL <= row["batches"] < 2 * BATCHES_PER_INTERVAL
    assert job.sent_time(2) <= row["signal_time"] <= row["left_time"]


def test_signal_that_overtakes_the_first_batch_is_heard_as_well(job: Job) -> None:
    row = job.attempt(3)
    assert ended(row) == ("stopped", "never_learn")
    assert row["batches"] < BATCHES_PER_INTERVAL
    assert job.epochs(3) == []


def test_trainer_waits_for_nothing_between_candidates(job: Job) -> None:
    """Signals that came while it was idle were taken from the mailbox, and the next assignment after them."""
    received = job.attempts["received_time"]
    assert (received[1:] >= job.attempts["left_time"][:-1]).all()
    assert sum(item["kind"] == "taken" for item in job.heard) == 5
    assert sum(item["kind"] == "ring" for item in job.heard) == len(job.observations) == 7
