"""One group on its node: how it ends, what ends with it, and what is left of its files."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path

import pytest

from hpc_nas.platforms import scratch as scratch_module
from hpc_nas.platforms.processes.excluded_nodes import node_name, publish_excluded_nodes
from hpc_nas.platforms.processes.group_status import GroupExit, GroupStatus, read_status
from hpc_nas.records.rank_file import read_rank_file
from hpc_nas.records.run_directory import RunDirectory
from tests.disks import tiny_disk
from tests.unit.platforms.group_task_helpers import (
    DEADLINE_S,
    GroupTask,
    make_run,
    processes_of,
    supervised,
    wait_for,
)

HOST = {"SLURMD_NODENAME": "n7"}


def status_of(group_task: GroupTask) -> GroupStatus:
    status = read_status(group_task.files.status_path)
    assert status is not None
    return status


def drained_rows(directory: RunDirectory) -> int:
    return len(read_rank_file(directory.rank_file_path(0, 0)).tables["observations"])


def test_group_that_ends_is_told_with_its_exit_code_and_its_node(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="crashes")
    with supervised(directory, environment=HOST) as group_task:
        exit = group_task.exit()
        assert exit == GroupExit(group=0, exit_code=7, killed="", host="n7")
        assert status_of(group_task).exit == exit
        assert status_of(group_task).state == "ended"
    # What a rank_wrapper has written on the node lies in the run directory, and nothing is left on the node.
    assert (directory.group_dir(0) / "died-1.json").read_text() == "the evidence"
    assert watch_directories(directory) == []


@pytest.mark.parametrize("part", ["agent", "group task", "pool"])
def test_nothing_that_is_watched_is_left_on_the_node_whoever_is_killed(tmp_path: Path, part: str) -> None:
    directory = make_run(tmp_path, role="serves")
    with supervised(directory) as group_task:
        group_task.until_ready()
        assert len(watch_directories(directory)) == 1
        (group_task.pool if part == "pool" else group_task.process(part)).kill()
        wait_for(lambda: status_of(group_task).exit is not None, what="the end of the group")
        wait_for(lambda: processes_of(directory.path) == [], what="the end of all processes")
    assert watch_directories(directory) == []


def test_what_a_node_manager_left_to_watch_is_removed_by_the_next_group(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="serves")
    with supervised(directory) as group_task:
        group_task.until_ready()
        for part in ("group task", "agent", "launcher"):  # all at once, as a node's job manager does it
            group_task.process(part).suspend()
        for process in group_task.processes():
            process.kill()
    (left,) = watch_directories(directory)
    left.rename(left.with_name("group-00007"))
    (directory.group_dir(0) / "said").unlink()
    with supervised(directory) as group_task:
        group_task.until_ready()
        assert [path.name for path in watch_directories(directory)] == ["group-00000"]
        group_task.process("group task").send_signal(signal.SIGTERM)
        assert group_task.exit().exit_code == 0
    assert watch_directories(directory) == []


def test_group_is_watched_elsewhere_where_shared_memory_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_run(tmp_path, role="serves")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(scratch_module, "SHARED_MEMORY", Path("/proc"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    nowhere = scratch_module.LocalDirectory(path=None)
    with scratch_module.watch_directory(nowhere, run_directory=directory, group=0) as watched:
        assert watched.path is not None
        assert watched.path.is_relative_to(tmp_path / "tmp")
        assert watched.path.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "tmp").iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with scratch_module.watch_directory(nowhere, run_directory=directory, group=0) as watched:
        assert watched.path is None
        assert "the group is watched through the run directory" in watched.warning


def watch_directories(directory: RunDirectory) -> list[Path]:
    """Of this run, on this node."""
    return [path for parent in scratch_module._watch_parents(directory) for path in parent.glob("group-*")]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signal_to_the_node_lets_the_group_leave_in_order(tmp_path: Path, signum: signal.Signals) -> None:
    directory = make_run(tmp_path, role="serves")
    with supervised(directory, environment=HOST) as group_task:
        group_task.until_ready()
        group_task.process("group task").send_signal(signum)
        exit = group_task.exit()
    why = f"its node was sent {signum.name}"
    assert exit == GroupExit(group=0, exit_code=0, killed="", host="n7", told=why)
    assert (directory.group_dir(0) / "said").read_text() == why


def test_signal_to_every_process_of_the_node_lets_the_group_leave_in_order(tmp_path: Path) -> None:
    """As scancel does it: the launcher would end its ranks at once, so it never sees the signal."""
    directory = make_run(tmp_path, role="serves")
    with supervised(directory) as group_task:
        group_task.until_ready()
        for part in ("launcher", "agent", "group task"):
            group_task.process(part).send_signal(signal.SIGTERM)
        exit = group_task.exit()
    assert (exit.exit_code, exit.killed) == (0, "")


def test_group_that_does_not_leave_in_time_is_killed(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="will not leave", settings=("group.drain_s=2",))
    with supervised(directory) as group_task:
        group_task.until_ready()
        begun = time.monotonic()
        group_task.process("group task").send_signal(signal.SIGTERM)
        exit = group_task.exit()
        assert time.monotonic() - begun >= 2.0
    assert exit.killed == "its node was sent SIGTERM, and it did not leave in time"
    assert processes_of(directory.path) == []


def test_group_that_is_told_to_leave_before_it_has_begun_is_killed_at_once(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="gives no sign")
    with supervised(directory) as group_task:
        group_task.process("launcher")
        group_task.process("group task").send_signal(signal.SIGTERM)
        assert group_task.exit().killed == "its node was sent SIGTERM, before it had begun"


def test_group_without_a_sign_of_life_is_killed(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="gives no sign", settings=("group.start_timeout_s=1",))
    with supervised(directory) as group_task:
        assert "gave no sign of life for 1 s" in group_task.exit().killed


def test_rank_that_outlives_its_launcher_is_ended(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="leaves a rank behind")
    with supervised(directory) as group_task:
        assert group_task.exit().exit_code == -signal.SIGKILL
    assert processes_of(directory.path) == []


@pytest.mark.parametrize("part", ["pool", "group task"])
def test_group_leaves_in_order_when_those_above_it_are_killed(tmp_path: Path, part: str) -> None:
    directory = make_run(tmp_path, role="serves")
    with supervised(directory, environment=HOST) as group_task:
        group_task.until_ready()
        victim = group_task.pool if part == "pool" else group_task.process("group task")
        victim.send_signal(signal.SIGKILL)
        group_task.pool.wait(DEADLINE_S)
        wait_for(lambda: status_of(group_task).exit is not None, what="the end of the group")
        wait_for(lambda: processes_of(directory.path) == [], what="the end of all processes")
        exit = status_of(group_task).exit
    who = "worker pool" if part == "pool" else "worker"
    assert exit == GroupExit(
        group=0, exit_code=0, killed="", host="n7", told=f"the {who} that started it has died"
    )


def test_group_dies_with_its_keeper_and_the_supervisor_says_so(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="serves")
    with supervised(directory, environment=HOST) as group_task:
        group_task.until_ready()
        group_task.process("agent").kill()
        exit = group_task.exit()
        assert status_of(group_task).exit == exit
    assert exit.killed == "its agent ended with signal 9, and the group with it"
    assert processes_of(directory.path) == []


def scratch(tmp_path: Path, *more: str) -> tuple[str, ...]:
    (tmp_path / "node").mkdir()
    return (f"platform.scratch={tmp_path / 'node'}", *more)


def test_local_files_are_drained_while_the_group_lives_and_removed_at_its_end(tmp_path: Path) -> None:
    directory = make_run(
        tmp_path, role="records", settings=scratch(tmp_path, "platform.drain_interval_s=0.1")
    )
    with supervised(directory) as group_task:
        group_task.until_ready()
        wait_for(directory.rank_file_path(0, 0).exists, what="a first drain")
        assert drained_rows(directory) == 5
        group_task.process("group task").send_signal(signal.SIGTERM)
        exit = group_task.exit()
    assert (exit.killed, exit.undrained) == ("", "")
    assert drained_rows(directory) == 5
    assert list((tmp_path / "node").iterdir()) == []


@pytest.mark.parametrize("part", ["launcher", "agent", "group task", "pool"])
def test_no_local_row_is_lost_whoever_is_killed(tmp_path: Path, part: str) -> None:
    directory = make_run(tmp_path, role="records", settings=scratch(tmp_path))
    with supervised(directory) as group_task:
        group_task.until_ready()
        (group_task.pool if part == "pool" else group_task.process(part)).send_signal(signal.SIGKILL)
        wait_for(lambda: status_of(group_task).exit is not None, what="the end of the group")
        wait_for(lambda: processes_of(directory.path) == [], what="the end of all processes")
    assert drained_rows(directory) == 5
    assert list((tmp_path / "node").iterdir()) == []


def test_rows_that_a_dead_node_manager_left_behind_are_drained_by_the_next_group(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="records", settings=scratch(tmp_path))
    with supervised(directory) as group_task:
        group_task.until_ready()
        for part in ("group task", "agent", "launcher"):  # all at once, as a node's job manager does it
            group_task.process(part).suspend()
        for process in group_task.processes():
            process.kill()
        assert not directory.rank_file_path(0, 0).exists()
    directory.group_dir(0).rename(directory.group_dir(4))
    (run,) = (tmp_path / "node").iterdir()
    (run / "group-00000").rename(run / "group-00004")
    directory.create_group_dir(0)
    with supervised(directory) as group_task:
        group_task.until_ready()
        wait_for(directory.rank_file_path(4, 0).exists, what="the rescue")
        wait_for(lambda: not (run / "group-00004").exists(), what="its removal")
        assert (run / "group-00000").is_dir()
        group_task.process("group task").send_signal(signal.SIGTERM)
        group_task.exit()


def test_local_files_stay_and_are_named_when_the_shared_disk_is_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "shared", num_bytes=256 << 10) as disk:
        directory = make_run(disk, role="records", settings=scratch(tmp_path, "group.drain_s=2"))
        with supervised(directory) as group_task:
            group_task.until_ready()
            with open(disk / "filler", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"0" * 4096)
                except OSError:
                    pass
            group_task.process("launcher").kill()
            exit = group_task.exit()
        (run,) = (tmp_path / "node").iterdir()
        local = run / "group-00000"
        assert exit.undrained.startswith(f"{local}: ")
        assert "No space left on device" in exit.undrained
        assert len(read_rank_file(local / "rank-00000.h5").tables["observations"]) == 5


@pytest.mark.parametrize("scratch_text", ["/nowhere/at/all", "$NOT_SET_HERE/x", "/proc"])
def test_scratch_that_can_not_be_used_falls_back_to_the_run_directory(
    tmp_path: Path, scratch_text: str
) -> None:
    directory = make_run(tmp_path, role="records", settings=(f"platform.scratch={scratch_text}",))
    with supervised(directory) as group_task:
        group_task.until_ready()
        assert "rank files go to the run directory" in status_of(group_task).why
        assert "[platform] scratch: " in group_task.log
        group_task.process("group task").send_signal(signal.SIGTERM)
        assert group_task.exit().exit_code == 0
    assert drained_rows(directory) == 5


def test_supervisor_parks_on_an_excluded_node_until_its_pool_ends(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="serves")
    publish_excluded_nodes(directory, frozenset({"n7"}))
    with supervised(directory, environment=HOST) as group_task:
        wait_for(group_task.files.status_path.exists, what="its status")
        assert status_of(group_task).state == "holding"
        group_task.process("group task").send_signal(signal.SIGTERM)
        assert group_task.exit() == GroupExit(
            group=0, exit_code=0, killed="", host="n7", told="holds its slot: node n7 is excluded"
        )
    assert not directory.launch_log_path(0).exists()


def test_group_task_that_holds_a_slot_gives_its_slot_back_when_the_node_is_trusted_again(
    tmp_path: Path,
) -> None:
    directory = make_run(tmp_path, role="serves")
    publish_excluded_nodes(directory, frozenset({"n7"}))
    with supervised(directory, environment=HOST) as group_task:
        wait_for(group_task.files.status_path.exists, what="its status")
        publish_excluded_nodes(directory, frozenset())
        assert group_task.exit().exit_code == 0


def test_supervisor_parks_when_the_allocation_is_about_to_end(tmp_path: Path) -> None:
    directory = make_run(tmp_path, role="serves")
    environment = {**HOST, "HPC_NAS_DEADLINE": str(time.time() + 60)}
    with supervised(directory, environment=environment) as group_task:
        wait_for(group_task.files.status_path.exists, what="its status")
        assert status_of(group_task).why.startswith("the allocation of node n7 ends in")


def test_node_is_named_as_the_scheduler_names_it() -> None:
    assert node_name({"SLURMD_NODENAME": "n7"}) == "n7"
    assert node_name({}) != ""
