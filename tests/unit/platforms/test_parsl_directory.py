"""Parsl never gets a path that a shell or a scheduler would read as more than a path."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.platforms import parsl_directory as module
from hpc_nas.platforms.parsl_directory import check_paths, is_plain, parsl_directory
from hpc_nas.records.run_directory import RunDirectory

HERE = Configuration()
NODES = Configuration.model_validate(
    {"platform": {"scheduler": "slurm", "node_launcher": "srun", "num_nodes": 2, "walltime": "01:00:00"}}
)
ODD = [
    "my results",
    "a;touch b",
    "$HOME",
    "`id`",
    "it's",
    'say "x"',
    "ü",
    "a%j",
    "back\\slash",
    "{block_id}",
    "*",
    "#",
]


def listing(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize("name", ODD)
def test_odd_path_is_not_plain(name: str) -> None:
    assert not is_plain(Path("/runs") / name)
    assert is_plain(Path("/runs/a-b_c.d"))


def test_plain_run_directory_keeps_parsls_files(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    with parsl_directory(NODES, directory=directory) as parsl_dir:
        assert parsl_dir == directory.parsl_dir
    assert parsl_dir.is_dir()


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("configuration", [HERE, NODES], ids=["here", "nodes"])
def test_files_lie_under_a_plain_path_and_come_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, configuration: Configuration
) -> None:
    (temporary := tmp_path / "tmp").mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(temporary))
    directory = RunDirectory.create(tmp_path / name / "run")
    for number in range(2):  # and again when it goes on
        with parsl_directory(configuration, directory=directory) as parsl_dir:
            assert is_plain(parsl_dir)
            assert stat.S_IMODE(parsl_dir.stat().st_mode) == 0o700
            (parsl_dir / "log").write_text(f"{number}")
            assert (directory.parsl_dir / f"00{number}" / "log").read_text() == f"{number}"
            place = temporary if configuration is HERE else tmp_path
            assert parsl_dir.parent == place
        assert not parsl_dir.exists()
    assert listing(directory.parsl_dir) == ["000", "000/log", "001", "001/log"]
    assert not any(path.is_symlink() for path in directory.parsl_dir.iterdir())


def test_what_a_killed_campaign_left_comes_home_with_the_next_one(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "my run")
    directory.parsl_dir.mkdir()
    left = tmp_path / ".hpc-nas-parsl-left"
    left.mkdir()
    (left / "log").write_text("killed")
    (directory.parsl_dir / "000").symlink_to(left)
    (directory.parsl_dir / "001").symlink_to(tmp_path / ".hpc-nas-parsl-of-another-node")
    (directory.parsl_dir / "002").symlink_to(tmp_path)  # not ours
    with parsl_directory(NODES, directory=directory):
        assert (directory.parsl_dir / "000" / "log").read_text() == "killed"
        assert not left.exists()
    assert sorted(path.name for path in directory.parsl_dir.iterdir()) == ["000", "002", "003"]
    assert (directory.parsl_dir / "002").is_symlink()


def test_error_comes_through(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "my run")
    with pytest.raises(LaunchError, match="first"), parsl_directory(HERE, directory=directory):
        raise LaunchError("first")
    assert listing(directory.parsl_dir) == ["000"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("configuration", [HERE, NODES], ids=["here", "nodes"])
def test_odd_paths_are_allowed_and_nothing_is_made(
    tmp_path: Path, name: str, configuration: Configuration
) -> None:
    check_paths(configuration, run_dir=tmp_path / name / "not" / "there")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\x1bb", "a\u2028b", os.fsdecode(b"caf\xe9")])
def test_path_with_line_breaks_or_no_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        LaunchError, match=r"^the run directory, .* has .* in its path; rename it, or use another$"
    ):
        check_paths(HERE, run_dir=tmp_path / name)


def test_odd_working_directory_is_refused_only_where_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("my files", "a\nb"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "my files")
    check_paths(HERE, run_dir=tmp_path / "run")
    monkeypatch.chdir(tmp_path / "a\nb")
    with pytest.raises(LaunchError, match=r"^the working directory, "):
        check_paths(HERE, run_dir=tmp_path / "run")


@pytest.mark.parametrize("configuration", [HERE, NODES], ids=["here", "nodes"])
def test_without_any_plain_place_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: Configuration
) -> None:
    def nowhere(path: Any, mode: int) -> bool:
        return False

    monkeypatch.setattr(module.os, "access", nowhere)
    with pytest.raises(LaunchError, match=re.escape("name a --run-dir of letters, digits and . _ - / only")):
        check_paths(configuration, run_dir=tmp_path / "my run")
    check_paths(configuration, run_dir=tmp_path / "run")
