"""A node that is cleared sends a signal to every process of a real group: what the group has done stays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from hpc_nas.group import protocol
from hpc_nas.records.rank_file import read_rank_file
from tests.mpi.harness import ENDLESS, GroupHarness, candidate, configure, processes_of

pytestmark = pytest.mark.mpi


def family_of(group: GroupHarness) -> list[psutil.Process]:
    """The agent and everything below it: launcher, proxy, rank wrappers, ranks."""
    keepers = [
        child
        for child in psutil.Process(os.getpid()).children()
        if "hpc_nas.platforms.processes.group_agent" in child.cmdline()
    ]
    assert len(keepers) == 1
    return [keepers[0], *keepers[0].children(recursive=True)]


def working(group: GroupHarness) -> None:
    """Two long candidates, each with an observation told."""
    group.assign(*(candidate(number, fault="slow", at_batch=100) for number in range(2)))
    group.until(lambda: all(group.progress_of(number) for number in range(2)))


def assert_saved(group: GroupHarness) -> None:
    assert sorted(group.interrupted) == [(0, 0), (1, 0)]
    for told in group.interrupted.values():
        assert told.checkpoint is not None, told.message
        assert (group.directory.checkpoints_dir / told.checkpoint).is_file()
    assert isinstance(group.heard[-1], protocol.Goodbye)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_to_all_processes_of_the_node_saves_all_candidates(
    tmp_path: Path, signum: signal.Signals
) -> None:
    scratch = tmp_path / "node"
    scratch.mkdir()
    configuration = configure(ENDLESS, f"platform.scratch={scratch}", "group.drain_s=20")
    with GroupHarness(tmp_path / "run", configuration) as group:
        working(group)
        for process in family_of(group):
            process.send_signal(signum)
        exit = group.until_exit()
    assert (exit.exit_code, exit.killed, exit.undrained) == (0, "", ""), group.log
    assert exit.told == f"its node was sent {signum.name}"
    assert_saved(group)
    told = {number: len(group.progress_of(number)) for number in range(2)}
    rows = [
        read_rank_file(group.directory.rank_file_path(0, rank)).tables["observations"] for rank in range(2)
    ]
    kept = {number: sum(int((table["candidate"] == number).sum()) for table in rows) for number in range(2)}
    assert all(kept[number] >= told[number] >= 1 for number in range(2))
    assert list(scratch.iterdir()) == []
    assert processes_of(tmp_path) == []
