"""The command line and run directories: what is never touched, what resuming needs, what can be reported."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_nas.configuration import Configuration
from tests.unit.cli_harness import invoke, move_apart, refusal, started_run, write_campaign


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_apart(tmp_path, monkeypatch)


# --- run ---------------------------------------------------------------------


def test_run_directory_that_holds_a_campaign_is_never_touched(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    message = refusal("run", write_campaign(tmp_path / "c.toml"), "--run-dir", directory.path, tree=tmp_path)
    assert message.startswith(
        f"{directory.path} already holds a campaign; go on with it (hpc-nas run --resume"
    )


def test_foreign_directory_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("")
    message = refusal(
        "run", write_campaign(tmp_path / "c.toml"), "--run-dir", tmp_path / "thesis", tree=tmp_path
    )
    assert message.startswith(f"{tmp_path}/thesis is not empty (thesis.tex) and holds no campaign")


# --- run --resume --------------------------------------------------------------------------------------------


def test_resume_needs_a_run_directory(tmp_path: Path) -> None:
    assert "--resume needs --run-dir" in refusal(
        "run", write_campaign(tmp_path / "c.toml"), "--resume", tree=tmp_path
    )
    assert "--run-dir" in refusal("run", "--resume", tree=tmp_path)


def test_resume_needs_a_campaign_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, what in (("none", "is no directory"), ("empty", "holds no campaign")):
        for file in ((), (write_campaign(tmp_path / "c.toml"),)):
            arguments = ("run", *file, "--resume", "--run-dir", tmp_path / name)
            message = refusal(*arguments, tree=tmp_path)
            assert message.startswith(f"{tmp_path / name} {what}")


def test_resume_with_another_configuration_shows_the_differences(tmp_path: Path) -> None:
    stored = Configuration.model_validate(
        {"campaign": {"seed": 5}, "space": {"name": "random-cnn", "max_conv_layers": 1}}
    )
    directory = started_run(tmp_path / "run", stored)
    arguments = (
        "run",
        write_campaign(tmp_path / "c.toml"),
        "--resume",
        "--run-dir",
        directory.path,
        "--set",
        "campaign.num_candidates=40",
    )
    message = refusal(*arguments, tree=tmp_path)
    assert "holds another campaign than this one" in message
    assert "--force" in message
    assert "  [campaign] seed: 5 there, 1 now" in message.splitlines()
    assert "num_candidates" not in message


def test_resume_without_a_campaign_file_takes_no_settings(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    arguments = ("run", "--resume", "--run-dir", directory.path, "--seed", 3)
    assert "takes no --set, --seed or --data-dir" in refusal(*arguments, tree=tmp_path)


@pytest.mark.parametrize("content", [None, '{"campaign": ', '{"campain": {}}'])
@pytest.mark.parametrize("with_file", [False, True])
def test_damaged_configuration_of_a_run_is_named(
    tmp_path: Path, content: str | None, with_file: bool
) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    directory.configuration_path.unlink()
    if content is not None:
        directory.configuration_path.write_text(content)
    file = (write_campaign(tmp_path / "c.toml"),) if with_file else ()
    message = refusal("run", *file, "--resume", "--run-dir", directory.path, tree=tmp_path)
    assert str(directory.configuration_path) in message


# --- status and report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["status", "report"])
def test_missing_directory_is_named(tmp_path: Path, name: str) -> None:
    message = refusal(name, tmp_path / "none", tree=tmp_path)
    assert message == f"{tmp_path}/none: no such file; name a run directory or its campaign.h5"


@pytest.mark.parametrize("name", ["status", "report"])
def test_directory_without_a_campaign_is_named(tmp_path: Path, name: str) -> None:
    assert "holds no campaign" in refusal(name, tmp_path, tree=tmp_path)


def test_foreign_and_truncated_files_are_refused(tmp_path: Path) -> None:
    foreign, truncated, text = (tmp_path / name for name in ("foreign.h5", "truncated.h5", "text.h5"))
    with h5py.File(foreign, "w") as file:
        file["data"] = np.arange(10_000)
    truncated.write_bytes(foreign.read_bytes()[:3000])
    text.write_text("this is no HDF5 file")
    assert refusal("report", foreign, tree=tmp_path).startswith(
        f"{foreign}: not an archive of a campaign; name a run directory"
    )
    for path in (truncated, text):
        message = refusal("report", path, tree=tmp_path)
        assert message.startswith(f"{path}: no sound archive of a campaign, truncated, damaged or foreign: ")


def test_run_directory_with_a_truncated_archive_is_read_from_its_ledger(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    directory.archive_path.write_bytes(b"\x89HDF\r\n\x1a\n")
    done = invoke("report", directory.path, "--json")
    assert done.code == 0
    assert json.loads(done.out)["candidates"] == 0


@pytest.mark.parametrize("name", ["status", "report"])
def test_campaign_without_any_candidate_yet_is_shown(tmp_path: Path, name: str) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    done = invoke(name, directory.path)
    assert done.code == 0, done.err
    assert "campaign campaign" in done.out
    assert "40 candidates asked for; running, or was killed" in done.out


@pytest.mark.parametrize("name", ["status", "report"])
def test_what_looks_like_markup_in_a_record_is_shown_as_it_is(tmp_path: Path, name: str) -> None:
    directory = started_run(tmp_path / "[bold] :smile: run", Configuration())
    directory.create_group_dir(0)
    directory.rank_file_path(0, 0).write_text("no HDF5")
    done = invoke(name, directory.path, *(["--output", tmp_path / "[red]"] if name == "report" else []))
    assert done.code == 0, done.err
    assert "[bold]" in done.out
    assert ":smile:" in done.out
    assert name == "status" or f"wrote {tmp_path}/[red]/timeline.png" in done.out


def test_campaign_in_a_directory_that_looks_like_markup_is_named_as_it_is(tmp_path: Path) -> None:
    settings = ("--set", "platform.mpiexec=nonexistent", "--run-dir", "[bold]run[/]")
    done = invoke("run", write_campaign(tmp_path / "c.toml"), *settings)
    assert done.out == "campaign campaign in [bold]run[/]\n"
