"""What a agent makes of a shared file system that is away for a while."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpc_nas.platforms.processes.group_agent import _ask_to_leave, _has_dead_rank
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory


def test_file_system_that_is_away_for_a_while_does_not_end_the_keeper_and_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = GroupFiles(run_directory=RunDirectory.create(tmp_path / "run"), group=0)
    files.run_directory.create_group_dir(0)
    group_dir = files.watched_dir
    (group_dir / "died-1.json").touch()

    def away(*arguments: object, **options: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as broken:
        broken.setattr(os, "scandir", away)
        broken.setattr(Path, "stat", away)
        assert not _has_dead_rank(group_dir)
        _ask_to_leave(files, why="a test")
    assert _has_dead_rank(group_dir)
    _ask_to_leave(files, why="a test")
    assert files.leave_path.read_text() == "a test"
