"""A trainer of a real group that never answers: its candidate has failed, the neighbours go on from checkpoints."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from hpc_nas.group import protocol
from hpc_nas.values import Outcome, Reason, State
from tests.mpi.harness import ENDLESS, GroupHarness, candidate, configure, processes_of

pytestmark = pytest.mark.mpi

DRAIN_S = 120  # a group that waited for the one that hangs would take as long
SETTINGS = (
    ENDLESS,
    "group.hang_floor_s=10",
    "group.hang_limit_s=60",
    "group.hang_factor=3",
    f"group.drain_s={DRAIN_S}",
    "group.orphan_grace_s=240",
)


def watch_it_end(group: GroupHarness, *, hung: int, neighbour: int) -> tuple[Outcome, float]:
    """The outcome of the candidate that hangs, and the seconds from there to the end of the group."""
    (outcome,) = group.until_ended(1)
    since = time.monotonic()
    exit = group.until_exit()
    took_s = time.monotonic() - since
    assert outcome.candidate == hung
    assert exit.exit_code != 0
    told = group.interrupted[neighbour, 0]
    assert (told.how, list(group.interrupted)) == ("drained", [(neighbour, 0)])
    assert told.checkpoint is not None, told.message
    assert (group.directory.checkpoints_dir / told.checkpoint).is_file()
    return outcome, took_s


def check(group: GroupHarness, outcome: Outcome, *, run_dir: Path) -> None:
    seats = {m.candidate: m.trainer for m in group.heard if isinstance(m, protocol.Started)}
    trainer = seats[outcome.candidate]
    assert (outcome.state, outcome.reason) == (State.FAILED, Reason.HUNG)
    assert outcome.message.startswith(f"rank {trainer} on node ")
    assert ", cpu) has shown nothing for" in outcome.message
    goodbye = group.heard[-1]
    assert isinstance(goodbye, protocol.Goodbye)
    assert goodbye.reason == outcome.message
    words = json.loads(group.directory.last_words_path(0, 2).read_text())
    assert words["charge"] is False
    assert outcome.message in words["error"]
    assert processes_of(run_dir) == []


def test_network_that_never_comes_back_costs_itself_alone(tmp_path: Path) -> None:
    """It is given the time that the group's first intervals make plausible: it has had none of its own."""
    with GroupHarness(tmp_path / "run", configure(*SETTINGS)) as group:
        group.assign(candidate(0, fault="slow", at_batch=100), candidate(1, fault="hang", at_batch=2))
        outcome, took_s = watch_it_end(group, hung=1, neighbour=0)
    assert took_s < DRAIN_S
    assert outcome.epochs == 0.0
    check(group, outcome, run_dir=tmp_path)


def test_stopped_trainer_is_found_by_its_own_past(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure(*SETTINGS)) as group:
        group.assign(*(candidate(number, fault="slow", at_batch=100) for number in range(2)))
        group.until(lambda: all(len(group.progress_of(number)) >= 2 for number in range(2)))
        seats = {m.trainer: m.candidate for m in group.heard if isinstance(m, protocol.Started)}
        group.ranks[1].suspend()
        outcome, took_s = watch_it_end(group, hung=seats[1], neighbour=seats[0])
    assert took_s < DRAIN_S
    assert outcome.epochs >= 1.0
    assert outcome.best_accuracy is not None
    check(group, outcome, run_dir=tmp_path)
