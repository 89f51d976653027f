"""`hpc-nas` in the test's own process: what it says, how it ends, and what it must leave alone."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from hpc_nas.cli import main as cli
from hpc_nas.configuration import Configuration
from hpc_nas.records.ledger import CampaignOpened, LedgerWriter
from hpc_nas.records.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def move_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and a cache that no other test has filled."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HPC_NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")


def invoke(*arguments: object) -> Done:
    """Run `hpc-nas` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["hpc-nas", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    return Done(code=int(ended.value.code or 0), out=out.getvalue(), err=err.getvalue())


def refusal(*arguments: object, tree: Path) -> str:
    """The message of a command that must fail and leave the tree as it is."""
    before = _listing(tree)
    done = invoke(*arguments)
    assert done.code == 2, done.out + done.err
    assert _listing(tree) == before
    assert done.err.startswith("hpc-nas: ")
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) <= 4
    return done.err.removeprefix("hpc-nas: ").rstrip("\n")


def write_campaign(path: Path) -> Path:
    """A sound campaign file."""
    path.write_text("[campaign]\nnum_candidates = 2\n[space]\nmax_conv_layers = 1\n", encoding="utf-8")
    return path


def started_run(path: Path, configuration: Configuration) -> RunDirectory:
    """A run directory as a campaign that has just begun leaves it."""
    directory = RunDirectory.create(path)
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    with LedgerWriter(directory.ledger_path) as ledger:
        ledger.append(
            CampaignOpened(
                host="node1",
                pid=42,
                hpc_nas_version="0.1.0",
                commit="abc",
                versions={},
                data={},
                resumed=False,
                time_s=100.0,
            )
        )
    return directory


def _listing(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, with what it holds."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in directory.rglob("*")}
