"""A real group of three ranks, and everything that can happen to it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from hpc_nas.campaign.postmortem import examine
from hpc_nas.group import protocol
from hpc_nas.records.row_file import RowFileReader
from hpc_nas.values import Reason, State
from tests.gate import Gate
from tests.mpi.harness import DEADLINE_S, ENDLESS, GroupHarness, candidate, configure, processes_of

pytestmark = pytest.mark.mpi


def test_candidates_end_with_their_outcomes_and_the_trainer_goes_on(tmp_path: Path) -> None:
    """Exceptions, NaN and lack of memory end the candidate alone: the next one on the same rank finishes."""
    faults = ("none", "raise", "nan", "oom", "none", "none")
    with GroupHarness(tmp_path / "run", configure()) as group:
        group.assign(*(candidate(number, fault=fault) for number, fault in enumerate(faults)))
        outcomes = group.until_ended(len(faults))
    assert [(outcome.state, outcome.reason) for outcome in outcomes] == [
        (State.FINISHED, Reason.FULL_BUDGET),
        (State.FAILED, Reason.BUILD),
        (State.FAILED, Reason.NON_FINITE),
        (State.FAILED, Reason.OUT_OF_MEMORY),
        (State.FINISHED, Reason.FULL_BUDGET),
        (State.FINISHED, Reason.FULL_BUDGET),
    ]
    assert "this network raises while training" in outcomes[1].message
    assert outcomes[0].epochs == 4.0
    assert outcomes[0].best_accuracy is not None
    assert outcomes[0].best_accuracy > 50.0


@pytest.mark.parametrize(
    ("fault", "trace"),
    [
        ("kill", "was killed by SIGKILL"),
        ("exit", "ended with exit code 3"),
        ("device_lost", "raised DeviceLost"),
    ],
)
def test_dead_trainer_ends_its_group_and_is_named(tmp_path: Path, fault: str, trace: str) -> None:
    gate = Gate(tmp_path / "gate")
    gate.close(batches=3)  # until both have been told of
    with GroupHarness(tmp_path / "run", configure(ENDLESS, gate=gate)) as group:
        group.assign(candidate(0, fault="slow", at_batch=100), candidate(1, fault=fault))
        group.until(lambda: sum(isinstance(m, protocol.Started) for m in group.heard) == 2)
        gate.open()
        exit = group.until_exit()
        seats = {m.candidate: m.trainer for m in group.heard if isinstance(m, protocol.Started)}
    found = examine(group.directory.group_dir(0), log=group.directory.launch_log_path(0), exit=exit)
    assert exit.exit_code != 0
    assert found.attributed == seats[1]
    assert trace in found.message
    assert processes_of(tmp_path) == []


def test_estimator_that_dies_ends_the_group_and_is_named(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure(ENDLESS)) as group:
        group.assign(candidate(0, fault="slow", at_batch=100), candidate(1, fault="slow", at_batch=100))
        group.until(lambda: any(isinstance(m, protocol.Progress) for m in group.heard))
        group.ranks[2].send_signal(signal.SIGKILL)
        exit = group.until_exit()
    found = examine(group.directory.group_dir(0), log=group.directory.launch_log_path(0), exit=exit)
    assert found.attributed == 2
    assert processes_of(tmp_path) == []


def test_estimator_that_raises_ends_the_group_with_its_words(tmp_path: Path) -> None:
    configuration = configure()
    harness = GroupHarness(tmp_path / "run", configuration)
    harness.directory.rank_file_path(0, 2).write_bytes(b"in the way")
    harness._thread.start()
    exit = harness.until_exit()
    harness.endpoint.close()
    found = examine(harness.directory.group_dir(0), log=harness.directory.launch_log_path(0), exit=exit)
    assert found.attributed == 2
    assert "RecordError" in found.message
    assert processes_of(tmp_path) == []


def test_slow_estimator_holds_no_trainer_up(tmp_path: Path) -> None:
    """With the estimator rank stopped by SIGSTOP the trainers' files keep growing."""
    gate = Gate(tmp_path / "gate")
    gate.close(batches=11)  # behind the first observation
    with GroupHarness(tmp_path / "run", configure(gate=gate)) as group:
        group.assign(*(candidate(number) for number in range(2)))
        group.until(lambda: all(group.progress_of(number) for number in range(2)))
        estimator = group.ranks[2]
        estimator.suspend()
        reader = RowFileReader(group.directory.rank_file_path(0, 0))
        before = len(reader.read_new("observations"))
        gate.open()
        deadline = time.monotonic() + DEADLINE_S
        grown = 0
        while grown < 3 and time.monotonic() < deadline:
            grown += len(reader.read_new("observations"))
        estimator.resume()
        reader.close()
        outcomes = group.until_ended(2)
    assert before >= 1
    assert grown >= 3
    assert [outcome.state for outcome in outcomes] == [State.FINISHED, State.FINISHED]


def test_group_leaves_when_its_campaign_falls_silent(tmp_path: Path) -> None:
    configuration = configure(ENDLESS, "group.orphan_grace_s=20")
    with GroupHarness(tmp_path / "run", configuration) as group:
        group.assign(*(candidate(number, fault="slow", at_batch=100) for number in range(2)))
        group.until(lambda: any(isinstance(m, protocol.Progress) for m in group.heard))
        group.speaking = False
        exit = group.until_exit()
    assert (exit.exit_code, exit.killed) == (0, ""), (
        group.log
    )  # before its grace is over, which it is killed after
    assert "leaves: the campaign has been silent for" in group.log
    assert processes_of(tmp_path) == []


def test_idle_estimator_does_not_spin(tmp_path: Path) -> None:
    """A blocked MPI receive would burn a whole core; the bound here is far from both."""
    with GroupHarness(tmp_path / "run", configure()) as group:
        process = psutil.Process(group.ranks[2].pid)
        before, since = process.cpu_times(), time.monotonic()
        group.until(lambda: time.monotonic() - since > 3.0)
        after = process.cpu_times()
    busy_s = after.user + after.system - before.user - before.system
    assert busy_s / 3.0 < 0.25


def test_group_that_is_bound_to_one_core_of_several_does_not_start(tmp_path: Path) -> None:
    """As under `srun` without `-c`; the message names the rank, what it saw, and what to do."""
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("this machine grants one core: there is nothing to be bound away from")
    harness = GroupHarness(tmp_path / "run", configure())
    try:
        os.sched_setaffinity(0, {min(cores)})
        harness._thread.start()  # inherits the binding
    finally:
        os.sched_setaffinity(0, cores)
    exit = harness.until_exit()
    harness.endpoint.close()
    found = examine(harness.directory.group_dir(0), log=harness.directory.launch_log_path(0), exit=exit)
    assert exit.exit_code != 0
    assert f"trainer(s) [0, 1] of threads_per_rank = 1 have 1 core(s) ({min(cores)})" in found.message
    assert "srun -c N" in found.message
    assert processes_of(tmp_path) == []
