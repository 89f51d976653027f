"""Pause, drain and kill in real MPI jobs: candidates go on elsewhere, with the curve of an uninterrupted training."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpc_nas.configuration import Configuration
from hpc_nas.platforms.launch_line import find_mpiexec, group_environment, mpi_line
from hpc_nas.records.checkpoint_files import find_checkpoints
from hpc_nas.records.layout import Rows
from hpc_nas.records.rank_file import observation_from_row, read_rank_file
from hpc_nas.records.run_directory import RunDirectory
from tests.conftest import ROOT
from tests.gate import HANG_S
from tests.mpi.harness import HERE, configure
from tests.mpi.resumable_space import HOLD_DIR

pytestmark = pytest.mark.mpi

PROGRAM = HERE / "programs" / "scripted_pauses.py"
INTERVALS, BATCHES_PER_INTERVAL = 6, 8  # of 64 of digits' 1150 training images, half an epoch each
DEADLINE_S = HANG_S
Curves = dict[int, list[tuple[float, ...]]]
TIMED = {"attempt", "carried", "train_s", "validate_s", "time_s"}


class Job:
    """One run directory, and the MPI jobs that worked in it, one after the other."""

    def __init__(self, path: Path, *settings: str):
        self.configuration: Configuration = configure(
            f'space.name="{HERE / "resumable_space.py"}:resumable"',
            f"training.max_epochs={INTERVALS / 2}",
            "training.epochs_per_interval=0.5",
            *settings,
        )
        self.directory = RunDirectory.create(path)
        self.directory.publish(self.directory.configuration_path, self.configuration.model_dump_json())

    def start(self, script: str, *, group: int) -> subprocess.Popen[str]:
        self.directory.create_group_dir(group)
        line = mpi_line(
            find_mpiexec(self.configuration.platform.mpiexec),
            num_ranks=3,
            command=[
                *(sys.executable, "-m", "mpi4py"),
                *(str(PROGRAM), str(self.directory.path), str(group), script),
            ],
        )
        return subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            env={
                **group_environment(self.configuration, inherited=os.environ),
                HOLD_DIR: str(self.directory.path),
                "PYTHONPATH": str(ROOT),
            },
        )

    def play(self, script: str, *, group: int) -> str:
        """A whole script; what was printed."""
        with self.start(script, group=group) as process:
            output, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, output
        return output

    def heard(self, group: int, *kinds: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads((self.directory.path / f"heard-{group}.json").read_text())
        return [item for item in items if item["kind"] in kinds]

    def rows(self, table: str, *, group: int, candidate: int) -> list[Any]:
        """From all trainers' files, in order of time written."""
        tables: list[Rows] = [
            read_rank_file(self.directory.rank_file_path(group, rank)).tables[table] for rank in range(2)
        ]
        return [row for rows in tables for row in rows if row["candidate"] == candidate]

    def curve(self, candidate: int, attempt: int, *, group: int) -> list[tuple[float, ...]]:
        """All that does not depend on the time of day, bit by bit."""
        rows = self.rows("observations", group=group, candidate=candidate)
        observations = [observation_from_row(row) for row in rows if row["attempt"] == attempt]
        return [tuple(each.model_dump(exclude=TIMED).values()) for each in observations]

    @property
    def checkpoints(self) -> list[str]:
        return [str(name) for name in find_checkpoints(self.directory.checkpoints_dir)]


def attempts(job: Job, candidate: int, *groups: int) -> list[Any]:
    """One row per attempt, in order."""
    rows = [row for group in groups for row in job.rows("attempts", group=group, candidate=candidate)]
    return sorted(rows, key=lambda row: row["attempt"])


def ended(rows: Sequence[Any]) -> list[tuple[str, str]]:
    return [(row["state"].decode(), row["reason"].decode()) for row in rows]


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = Job(tmp_path_factory.mktemp("pauses") / "run")
    job.play("pauses", group=0)
    return job


def whole_curves(path: Path) -> Curves:
    """The curves of candidates 1, 3 and 4, trained in one piece in this process."""
    import torch

    from hpc_nas.group.trainer_resources import prepare_resources
    from hpc_nas.tasks.cache import data_cache_dir
    from hpc_nas.training.checkpoint import WithoutCheckpoints
    from hpc_nas.training.program import Job as TrainingJob
    from hpc_nas.training.trainer import train
    from hpc_nas.values import Candidate, Observation

    configuration = Job(path / "whole").configuration
    bench = prepare_resources(configuration, cache_dir=data_cache_dir(), local_rank=0)
    curves: Curves = {}
    for number in (1, 3, 4):
        seen: list[Observation] = []
        train(
            TrainingJob(
                candidate=Candidate(
                    number=number,
                    seed=number,
                    parameters={"dropout": 0.3},
                    num_parameters=650,
                    num_layers=1,
                    macs=640,
                ),
                attempt=0,
                device=torch.device("cpu"),
                max_epochs=configuration.training.max_epochs,
                checkpoints=WithoutCheckpoints(),
                report=seen.append,
                check_signal=lambda: None,
            ),
            space=bench.space,
            data=bench.data,
            section=configuration.training,
        )
        curves[number] = [tuple(each.model_dump(exclude=TIMED).values()) for each in seen]
    return curves


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Curves:
    return whole_curves(tmp_path_factory.mktemp("reference"))


def test_a_candidate_paused_twice_and_resumed_on_other_trainers_has_the_uninterrupted_curve(
    paused: Job, whole: Curves
) -> None:
    rows = attempts(paused, 1, 0)
    assert ended(rows) == [("paused", "rung"), ("paused", "rung"), ("finished", "full_budget")]
    assert len(whole[1]) == INTERVALS
    assert paused.curve(1, 2, group=0) == whole[1]
    for row in rows[:-1]:
        own = paused.curve(1, row["attempt"], group=0)
        assert own == whole[1][: len(own)]
        assert len(own) == 2 * row["epochs"]


def test_no_batch_is_trained_twice_and_none_left_out(paused: Job) -> None:
    rows = attempts(paused, 1, 0)
    assert rows[0]["start_batch"] == 0
    for earlier, later in itertools.pairwise(rows):
        assert later["start_batch"] == earlier["start_batch"] + earlier["batches"]
        assert later["start_epoch"] == earlier["epochs"]
    assert rows[-1]["start_batch"] + rows[-1]["batches"] == INTERVALS * BATCHES_PER_INTERVAL


def test_carried_rows_stand_first_under_the_new_attempt(paused: Job) -> None:
    for row in attempts(paused, 1, 0):
        observations = [
            each
            for each in paused.rows("observations", group=0, candidate=1)
            if each["attempt"] == row["attempt"]
        ]
        carried = int(2 * row["start_epoch"])
        assert [each["carried"] for each in observations] == [1] * carried + [0] * (
            len(observations) - carried
        )


def test_a_pause_frees_the_trainer_before_the_checkpoint_is_written(paused: Job) -> None:
    """`Left` first; the next candidate is taken up whether or not `Saved` has come by then."""
    heard = [item for item in paused.heard(0, "left", "saved", "taken") if item["trainer"] == 0]
    kinds = [(item["kind"], item["candidate"], item["attempt"]) for item in heard]
    assert kinds.index(("left", 1, 0)) < kinds.index(("taken", 2, 0))
    assert kinds.index(("left", 1, 0)) < kinds.index(("saved", 1, 0))
    saved = paused.heard(0, "saved")
    assert [(item["candidate"], item["attempt"], item["message"]) for item in saved] == [
        (1, 0, ""),
        (1, 1, ""),
    ]
    batches = [int(row["start_batch"] + row["batches"]) for row in attempts(paused, 1, 0)]
    assert [item["checkpoint"] for item in saved] == [
        f"candidate-00001-attempt-{attempt:03d}-batch-{batches[attempt]:08d}.pt" for attempt in range(2)
    ]


def test_the_older_checkpoint_of_a_candidate_is_gone_once_the_newer_is_there(paused: Job) -> None:
    last = paused.heard(0, "saved")[-1]["checkpoint"]
    assert paused.checkpoints == [last]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Two jobs: in the first all are told to leave; in the second they go on, candidate 4 from a damaged file."""

    job: Job
    saved: list[str]
    output: str


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    job = Job(tmp_path_factory.mktemp("drained") / "run")
    job.play("drained", group=0)
    saved = job.checkpoints
    path = job.directory.checkpoints_dir / next(name for name in saved if name.startswith("candidate-00004"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return Chain(job=job, saved=saved, output=job.play("resumed", group=1))


def test_all_that_was_in_training_when_told_to_leave_has_a_checkpoint(drained: Chain) -> None:
    left = {item["candidate"]: (item["state"], item["reason"]) for item in drained.job.heard(0, "left")}
    assert left == {3: ("cancelled", "cancelled"), 4: ("cancelled", "cancelled"), 5: ("paused", "rung")}
    assert sorted(item["checkpoint"] for item in drained.job.heard(0, "saved")) == drained.saved


def test_what_was_drained_goes_on_in_a_later_job(drained: Chain, whole: Curves) -> None:
    rows = attempts(drained.job, 3, 0, 1)
    assert ended(rows) == [("cancelled", "cancelled"), ("finished", "full_budget")]
    assert rows[1]["start_batch"] == rows[0]["batches"]  # no batch twice
    assert rows[0]["batches"] + rows[1]["batches"] == INTERVALS * BATCHES_PER_INTERVAL
    assert drained.job.curve(3, 1, group=1) == whole[3]


def test_a_damaged_checkpoint_costs_the_way_to_it_and_nothing_else(drained: Chain, whole: Curves) -> None:
    assert "candidate 4 attempt 1 begins from the start" in drained.output
    assert "damaged" in drained.output
    row = attempts(drained.job, 4, 1)[0]
    assert (row["start_epoch"], row["start_batch"]) == (0.0, 0)
    assert drained.job.curve(4, 1, group=1) == whole[4]


def test_with_checkpoints_switched_off_trainers_say_so_and_leave(tmp_path: Path) -> None:
    job = Job(tmp_path / "run", "checkpoints.enabled=false", "checkpoints.interval_s=0")
    job.play("drained", group=0)
    assert [(item["checkpoint"], item["message"]) for item in job.heard(0, "saved")] == [
        (None, "checkpoints are switched off ([checkpoints] enabled = false)")
    ] * 3
    assert not job.directory.checkpoints_dir.exists()


def ranks_of(launcher: int) -> dict[int, psutil.Process]:
    """The rank processes of a running job, from their environments."""
    found = {}
    for process in psutil.Process(launcher).children(recursive=True):
        rank = process.environ().get("PMI_RANK", "")
        if rank.isdigit() and str(PROGRAM) in process.cmdline():
            found[int(rank)] = process
    return found


def ignored_signals(process: psutil.Process) -> set[signal.Signals]:
    """What the kernel says of them."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
    return {
        each for each in signal.valid_signals() if mask >> (each - 1) & 1 and isinstance(each, signal.Signals)
    }


WARNINGS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Two jobs: trainer 0 of the first is killed in its third interval, after a scheduler's warnings."""

    job: Job
    ignored: list[set[signal.Signals]]
    return_code: int


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Kill:
    job = Job(tmp_path_factory.mktemp("killed") / "run", "checkpoints.interval_s=0")
    with job.start("endless", group=0) as process:
        wait_for_checkpoints(job.directory.checkpoints_dir, batches=2 * BATCHES_PER_INTERVAL)
        ranks = ranks_of(process.pid)
        ignored = [ignored_signals(ranks[rank]) for rank in range(2)]
        for rank, signum in itertools.product(range(2), WARNINGS):
            ranks[rank].send_signal(signum)
        ranks[0].send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    job.play("resumed", group=1)
    return Kill(job=job, ignored=ignored, return_code=process.returncode)


def wait_for_checkpoints(directory: Path, *, batches: int) -> None:
    """Until each of candidates 3 and 4 has one at so many batches."""
    deadline = time.monotonic() + DEADLINE_S
    while {name.candidate for name in find_checkpoints(directory) if name.batches == batches} != {3, 4}:
        assert time.monotonic() < deadline, f"no checkpoints: {find_checkpoints(directory)}"
        time.sleep(0.005)


@pytest.mark.parametrize("candidate", [3, 4])
def test_after_a_kill_candidates_go_on_from_their_periodic_checkpoints(
    killed: Kill, whole: Curves, candidate: int
) -> None:
    """Both trainers were in their third interval, and go on behind the second one."""
    assert killed.return_code != 0
    (row,) = attempts(killed.job, candidate, 1)
    assert (row["start_epoch"], row["start_batch"]) == (1.0, 2 * BATCHES_PER_INTERVAL)
    assert row["batches"] == (INTERVALS - 2) * BATCHES_PER_INTERVAL
    assert killed.job.curve(candidate, 1, group=1) == whole[candidate]
    assert killed.job.curve(candidate, 0, group=0) == whole[candidate][:2]


def test_a_scheduler_s_warning_does_not_end_a_trainer(killed: Kill) -> None:
    """The estimator rank drains on it; a trainer goes on until it is told."""
    for ignored in killed.ignored:
        assert set(WARNINGS) <= ignored
