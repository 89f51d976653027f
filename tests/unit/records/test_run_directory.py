"""Run directories: who may have one, who may use it, and files that are there as a whole."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hpc_nas.errors import RunDirectoryError
from hpc_nas.records import beginning
from hpc_nas.records.run_directory import RunDirectory
from tests.disks import tiny_disk


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_run_directory_keeps_its_secrets(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        directory = RunDirectory.create(tmp_path / "deep" / "run")
        directory.publish(directory.connection_path, "{}", mode=0o600)
    finally:
        os.umask(previous)
    assert mode_of(directory.private_dir) == 0o700
    assert mode_of(directory.connection_path) == 0o600
    assert sorted(path.name for path in directory.path.iterdir()) == ["campaign.lock", "groups", "private"]


@pytest.mark.parametrize("name", ["configuration.json", "ledger.jsonl"])
def test_campaign_that_lies_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    RunDirectory.create(tmp_path / "run")
    (tmp_path / "run" / name).write_text("{}")
    with pytest.raises(RunDirectoryError, match=rf"{re.escape(str(tmp_path))}/run already holds .*--resume"):
        RunDirectory.create(tmp_path / "run")


def test_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunDirectoryError, match=r"is not empty \(thesis\.tex\)"):
        RunDirectory.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_empty_directory_is_taken(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path).path == tmp_path


# --- a beginning that was cut off ----------------------------------------------------------------------------


def test_beginning_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")  # no campaign yet: no configuration
    for name in ("warm_start.json", ".warm_start.json.17.tmp", ".configuration.json.17.tmp"):
        (directory.path / name).write_text("{")
    RunDirectory.create(directory.path)
    assert sorted(path.name for path in directory.path.iterdir()) == ["campaign.lock", "groups", "private"]


@pytest.mark.parametrize(
    "made", [["private"], ["private", "groups"], ["campaign.lock"], ["campaign.lock", "private"]]
)
def test_any_part_of_a_beginning_is_begun_anew(tmp_path: Path, made: list[str]) -> None:
    for name in made:
        (tmp_path / name).mkdir() if name in beginning.DIRECTORIES else (tmp_path / name).touch()
    directory = RunDirectory.create(tmp_path)
    assert mode_of(directory.private_dir) == 0o700


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",  # beside a beginning
        "private/key",
        "groups/group-00000/rank-00000.h5",
        "groups/.hidden",
        "configuration.toml",
        ".configuration.json.tmp",
        ".ledger.jsonl.17.tmp",
        "campaign.h5",
        "history.jsonl",
    ],
)
def test_beginning_with_anything_else_in_it_is_never_touched(tmp_path: Path, name: str) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    (directory.path / "warm_start.json").write_text("{}")
    (directory.path / name).parent.mkdir(parents=True, exist_ok=True)
    (directory.path / name).write_text("mine")
    assert_left_alone(directory.path)


@pytest.mark.parametrize(
    "name", ["campaign.lock", "warm_start.json", ".warm_start.json.1.tmp", "private", "groups"]
)
def test_file_of_ones_own_under_a_name_of_ours_is_never_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert_left_alone(tmp_path)


@pytest.mark.parametrize("name", ["campaign.lock", "warm_start.json", "private", "groups"])
def test_link_under_a_name_of_ours_is_never_followed(tmp_path: Path, name: str) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    target = tmp_path / "target"
    target.mkdir() if name in beginning.DIRECTORIES else target.touch()
    place = directory.path / name
    if place.is_dir():
        place.rmdir()
    place.unlink(missing_ok=True)
    place.symlink_to(target)
    assert_left_alone(directory.path)


def assert_left_alone(path: Path) -> None:
    def found() -> dict[str, tuple[int, bytes]]:
        return {
            str(each): (each.lstat().st_mode, each.read_bytes() if each.is_file() else b"")
            for each in path.rglob("*")
        }

    before = found()
    with pytest.raises(RunDirectoryError, match=r"is not empty \(.*\) and holds no campaign"):
        RunDirectory.create(path)
    assert found() == before


@pytest.mark.parametrize(
    "begun", [[], ["configuration.json"], ["configuration.json", "ledger.jsonl", "notes.txt"]]
)
def test_of_two_that_begin_at_once_the_second_is_told_that_a_campaign_runs(
    tmp_path: Path, begun: list[str]
) -> None:
    expected = f"run is in use by the campaign process {os.getpid()} on host {socket.gethostname()}"
    with RunDirectory.begin(tmp_path / "run") as first:
        for name in begun:
            (first.path / name).touch()
        with pytest.raises(RunDirectoryError, match=re.escape(expected)):
            RunDirectory.create(tmp_path / "run")


def test_campaign_that_began_while_another_waited_for_the_lock_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"

    @contextlib.contextmanager
    def lock_late(self: RunDirectory, *, job_id: str) -> Iterator[None]:
        with monkeypatch.context() as now:
            now.setattr(RunDirectory, "lock", lock)
            first = RunDirectory.create(path)
            first.publish(first.configuration_path, "first")
        with lock(self, job_id=job_id):
            yield

    lock = RunDirectory.lock
    monkeypatch.setattr(RunDirectory, "lock", lock_late)
    with pytest.raises(RunDirectoryError, match="already holds a campaign"):
        RunDirectory.create(path)
    assert (path / "configuration.json").read_text() == "first"


@pytest.mark.parametrize("num_inodes", range(2, 7))
def test_disk_without_room_for_another_file_can_be_begun_on_once_it_has_some(
    tmp_path: Path, num_inodes: int
) -> None:
    """The directory, the lock, `private`, `groups`, the configuration: each fails once."""

    def begin() -> None:
        with RunDirectory.begin(disk / "run") as directory:
            directory.publish(directory.configuration_path, "{}")

    with tiny_disk(tmp_path / "disk", num_bytes=64 * 1024, num_inodes=num_inodes) as disk:
        if num_inodes < 6:
            with pytest.raises(RunDirectoryError, match="No space left on device; "):
                begin()
            subprocess.run(["mount", "-o", "remount,nr_inodes=6", str(disk)], check=True)
        begin()
        assert (disk / "run" / "configuration.json").read_text() == "{}"


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunDirectoryError, match="run is a file"):
        RunDirectory.create(tmp_path / "run")


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_opening_needs_a_campaign(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "run")
    with pytest.raises(RunDirectoryError, match=r"run (is no directory|holds no campaign)"):
        RunDirectory.open(tmp_path / "run")


def test_opening_finds_the_campaign(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    directory.publish(directory.configuration_path, "{}")
    assert RunDirectory.open(str(tmp_path / "run")).path == directory.path


def test_group_numbers_are_never_used_twice(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    assert directory.new_group_number() == 0
    for group in (0, 1):
        assert directory.create_group_dir(group) == directory.path / "groups" / f"group-0000{group}"
    directory.group_dir(0).rmdir()
    (directory.groups_dir / "notes").mkdir()
    assert directory.new_group_number() == 2
    directory.create_group_dir(100000)
    assert directory.groups() == [1, 100000]
    with pytest.raises(RunDirectoryError, match=r"group-00001 exists: .* use 100001"):
        directory.create_group_dir(1)


def test_rank_files_of_a_group_are_found_whoever_wrote_them(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    directory.create_group_dir(0)
    names = ["rank-00001.h5", "rank-00000.h5", "other-program.h5", ".rank-00002.h5.1-1.tmp", "launch.log"]
    for name in names:
        (directory.group_dir(0) / name).touch()
    assert [path.name for path in directory.rank_file_paths(0)] == [
        "other-program.h5",
        "rank-00000.h5",
        "rank-00001.h5",
    ]
    assert directory.rank_file_paths(1) == []


def test_published_file_replaces_the_old_one_at_once(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    for content in ("old", b"new"):
        directory.publish(directory.configuration_path, content)
    assert directory.configuration_path.read_bytes() == b"new"
    assert mode_of(directory.configuration_path) == 0o644
    assert sorted(path.name for path in directory.path.iterdir()) == [
        "campaign.lock",
        "configuration.json",
        "groups",
        "private",
    ]


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=64 * 1024) as disk:
        directory = RunDirectory.create(disk / "run")
        directory.publish(directory.configuration_path, "old")
        with pytest.raises(RunDirectoryError, match=r"configuration\.json can't be written: No space left"):
            directory.publish(directory.configuration_path, bytes(100_000))
        assert directory.configuration_path.read_text() == "old"
        assert not list(directory.path.glob(".*"))


# --- the lock ------------------------------------------------------------------------------------------------

HOLD = """if True:
    import sys
    from hpc_nas.records.run_directory import RunDirectory
    with RunDirectory(sys.argv[1]).lock():
        print("held", flush=True)
        sys.stdin.read()
"""


def test_lock_names_its_holder_and_is_free_once_that_is_killed(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, str(directory.path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        expected = f"in use by the campaign process {process.pid} on host {socket.gethostname()}"
        with pytest.raises(RunDirectoryError, match=re.escape(expected)), directory.lock():
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with directory.lock():
            holder = json.loads(directory.lock_path.read_bytes())
    assert (holder["host"], holder["pid"]) == (socket.gethostname(), os.getpid())
    assert set(holder) == {"host", "pid", "job_id", "started_time"}


def test_loser_of_two_that_begin_at_once_is_told_that_a_campaign_runs(tmp_path: Path) -> None:
    winner = RunDirectory.create(tmp_path / "run")
    with winner.lock():
        winner.publish(winner.configuration_path, "{}")
        with pytest.raises(
            RunDirectoryError, match=r"in use by the campaign process .*; a campaign runs there"
        ) as found:
            RunDirectory.create(tmp_path / "run")
    assert "--resume" not in str(found.value)
    with pytest.raises(RunDirectoryError, match="already holds a campaign"):
        RunDirectory.create(tmp_path / "run")


@pytest.mark.parametrize(("job_id", "job"), [("", ""), ("19.server", ", batch job 19.server")])
def test_lock_names_the_batch_job_of_its_holder(tmp_path: Path, job_id: str, job: str) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    expected = f"campaign process {os.getpid()} on host {socket.gethostname()}{job};"
    with (
        directory.lock(job_id=job_id),
        pytest.raises(RunDirectoryError, match=re.escape(expected)),
        directory.lock(),
    ):
        pass


def test_lock_can_be_taken_again_and_again(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    for _ in range(2):
        with directory.lock(), pytest.raises(RunDirectoryError, match=str(os.getpid())), directory.lock():
            pass


HOLD_AND_FORK = """if True:
    import os, sys
    from hpc_nas.records.run_directory import RunDirectory
    with RunDirectory(sys.argv[1]).lock():
        if os.fork() == 0:
            print("forked", flush=True)
        sys.stdin.read()
"""


def test_forked_child_of_a_killed_campaign_does_not_hold_the_lock(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    command = [sys.executable, "-c", HOLD_AND_FORK, str(directory.path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        with pytest.raises(RunDirectoryError, match="in use"), directory.lock():
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with directory.lock():  # the child still waits for its input to end
            pass


def test_started_program_that_lives_on_does_not_hold_the_lock(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    with ExitStack() as stack:
        with directory.lock():
            stack.enter_context(subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False))
        with directory.lock():
            pass
