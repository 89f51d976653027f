"""A real group whose candidates are paused, resumed and drained: nothing is trained twice, and all is told."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from hpc_nas.group import protocol
from hpc_nas.platforms.walltime import DEADLINE_VARIABLE
from hpc_nas.records.layout import Rows
from hpc_nas.records.rank_file import read_rank_file
from hpc_nas.values import Reason, State
from tests.clock import MovedClock
from tests.gate import Gate, told_to_leave
from tests.mpi.harness import ENDLESS, GroupHarness, candidate, configure, processes_of

pytestmark = pytest.mark.mpi

BATCHES_PER_EPOCH = 17  # of 64 of digits' 1150 training images


def rows(group: GroupHarness, table: str) -> Rows:
    """All rows of a table in the rank files of the group, in the order of the ranks."""
    found = [read_rank_file(path).tables.get(table) for path in group.directory.rank_file_paths(0)]
    return np.concatenate([rows for rows in found if rows is not None])


def of(table: Rows, number: int, *, attempt: int) -> Rows:
    return table[(table["candidate"] == number) & (table["attempt"] == attempt)]


def running(group: GroupHarness, *, intervals: int) -> None:
    """Two long candidates, each with so many observations told."""
    group.assign(*(candidate(number, fault="slow", at_batch=100) for number in range(2)))
    group.until(lambda: all(len(group.progress_of(number)) >= intervals for number in range(2)))


def test_group_that_is_sent_away_leaves_checkpoints_of_all_that_it_trains(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure(ENDLESS)) as group:
        group.assign(*(candidate(number, fault="slow", at_batch=100) for number in range(4)))
        group.until(lambda: sum(isinstance(m, protocol.Started) for m in group.heard) == 2)
        group.endpoint.send(0, protocol.Leave(reason="enough"))
        exit = group.until_exit()
    assert exit.exit_code == 0
    assert group.outcomes == {}
    assert sorted(group.interrupted) == [(0, 0), (1, 0)]
    for told in group.interrupted.values():
        assert told.how == "drained"
        assert told.checkpoint is not None, told.message
        assert (group.directory.checkpoints_dir / told.checkpoint).is_file()
    attempts = rows(group, "attempts")
    assert attempts["state"].tolist() == [b"cancelled"] * 2
    assert isinstance(group.heard[-1], protocol.Goodbye)


def test_without_checkpoints_what_is_drained_says_so(tmp_path: Path) -> None:
    configuration = configure(ENDLESS, "checkpoints.enabled=false")
    with GroupHarness(tmp_path / "run", configuration) as group:
        running(group, intervals=1)
        group.endpoint.send(0, protocol.Leave(reason="enough"))
        exit = group.until_exit()
    assert exit.exit_code == 0
    for told in group.interrupted.values():
        assert told.checkpoint is None
        assert told.message
        assert told.epochs >= 0.5
    assert len(group.interrupted) == 2


def test_interruption_is_told_until_it_is_acknowledged(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure(ENDLESS)) as group:
        running(group, intervals=1)
        group.acknowledging = False
        group.endpoint.send(0, protocol.Leave(reason="enough"))
        group.until(lambda: sum(isinstance(m, protocol.Interrupted) for m in group.heard) >= 4)
        group.acknowledging = True
        exit = group.until_exit()
    assert exit.exit_code == 0
    assert len(group.interrupted) == 2


def test_paused_candidate_goes_on_where_it_was_and_carries_its_curve(tmp_path: Path) -> None:
    """ASHA pauses at its first rung all that are not among the best third; a campaign takes one up again."""
    configuration = configure(
        "training.max_epochs=9", "training.epochs_per_interval=0.5", "estimator.preset=asha"
    )
    with GroupHarness(tmp_path / "run", configuration) as group:
        group.assign(*(candidate(number) for number in range(4)))
        group.until(lambda: len(group.interrupted) >= 2)
        told = group.interrupted[min(group.interrupted)]
        assert told.checkpoint is not None, told.message
        number = told.candidate
        seen = group.progress_of(number)
        group.assign(candidate(number), attempt=1, checkpoint=told.checkpoint)
        group.until(lambda: (number, 1) in group.outcomes or (number, 1) in group.interrupted)
        again = group.progress_of(number)[len(seen) :]
    assert told.how == "paused"
    first, second = (of(rows(group, "attempts"), number, attempt=attempt) for attempt in (0, 1))
    assert (first["state"][0], first["reason"][0]) == (b"paused", b"rung")
    assert second["start_epoch"] == first["epochs"] == told.epochs == seen[-1]
    assert second["start_batch"] == first["batches"]
    observed = of(rows(group, "observations"), number, attempt=1)
    carried = observed["carried"] == 1
    assert observed["epoch"][carried].tolist() == seen
    assert again[: len(observed)] == observed["epoch"].tolist()
    forecasts = of(rows(group, "forecasts"), number, attempt=1)
    assert [row["reason"] == b"carried" for row in forecasts] == carried.tolist()
    assert set(forecasts["action"][carried].tolist()) == {b"go"}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signal_to_all_processes_of_a_group_makes_it_leave_in_order(
    tmp_path: Path, signum: signal.Signals
) -> None:
    """As a scheduler does it, that signals a whole step: the launcher, too, which must not end its ranks."""
    with GroupHarness(tmp_path / "run", configure(ENDLESS)) as group:
        running(group, intervals=1)
        launcher = next(each for each in group.ranks[0].parents() if "mpiexec" in each.name())
        for process in (launcher, *launcher.children(recursive=True)):
            process.send_signal(signum)
        exit = group.until_exit()
    assert exit.exit_code == 0
    assert group.heard[-1] == protocol.Goodbye(reason=f"this process was sent {signum.name}")
    assert sorted(group.interrupted) == [(0, 0), (1, 0)]
    assert all(told.checkpoint is not None for told in group.interrupted.values())
    assert processes_of(tmp_path) == []


def test_group_leaves_by_its_own_clock_before_its_allocation_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour is left when it starts; once it trains, its clock is moved on to where the end is near."""
    deadline_time, drain_s = time.time() + 3600.0, 60.0
    clock = MovedClock(tmp_path / "clock")
    monkeypatch.setenv(DEADLINE_VARIABLE, str(deadline_time))
    with (
        clock.environment(os.environ),
        GroupHarness(tmp_path / "run", configure(ENDLESS, f"group.drain_s={drain_s}")) as group,
    ):
        running(group, intervals=1)
        clock.move(deadline_time - drain_s - time.time())
        exit = group.until_exit()
        ended_time = clock.time()
    assert exit.exit_code == 0
    assert ended_time < deadline_time
    (hello, *_) = [message for message in group.heard if isinstance(message, protocol.Hello)]
    assert hello.deadline_time == deadline_time
    assert all(told.how == "drained" and told.checkpoint for told in group.interrupted.values())
    assert len(group.interrupted) == 2


def test_outcomes_of_finished_candidates_stand_beside_interruptions(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    with GroupHarness(tmp_path / "run", configure("training.max_epochs=2", gate=gate)) as group:
        group.assign(candidate(0))
        (outcome,) = group.until_ended(1)
        gate.close(batches=BATCHES_PER_EPOCH)
        group.assign(candidate(1))
        group.until(lambda: len(group.progress_of(1)) >= 1)
        group.endpoint.send(0, protocol.Leave(reason="enough"))
        group.until(lambda: told_to_leave([group.directory.launch_log_path(0)]))
        gate.open()
        group.until_exit()
    assert (outcome.state, outcome.reason) == (State.FINISHED, Reason.FULL_BUDGET)
    assert rows(group, "outcomes")["candidate"].tolist() == [0]
