"""`hpc-nas finalists`: what it refuses, and that it says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.campaign import finalists
from hpc_nas.configuration import Configuration
from hpc_nas.errors import RunDirectoryError
from tests.unit.cli_harness import invoke, move_apart, refusal, started_run, write_campaign


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_apart(tmp_path, monkeypatch)


def test_directory_without_a_search_is_refused(tmp_path: Path) -> None:
    assert "is no directory; name the run directory" in refusal("finalists", tmp_path / "no", tree=tmp_path)


@pytest.mark.parametrize(
    ("max_epochs", "message"),
    [
        (
            "6.3",
            "[finalists]: max_epochs = 6.3 is not a whole number of intervals of 0.5 epochs "
            "([training] epochs_per_interval); use 6.5",
        ),
        ("0", "finalists.max_epochs = 0.0 is not allowed: Input should be greater than 0"),
    ],
)
def test_budget_that_can_not_be_is_refused(max_epochs: str, message: str, tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    said = refusal("finalists", directory.path, f"--max-epochs={max_epochs}", tree=tmp_path)
    assert said == message


def test_budget_in_a_campaign_file_is_refused_before_the_search(tmp_path: Path) -> None:
    campaign = write_campaign(tmp_path / "c.toml")
    said = refusal("run", campaign, "--set", "finalists.max_epochs=0.2", tree=tmp_path)
    assert said.endswith(
        "[finalists]: max_epochs = 0.2 is not a whole number of intervals of 0.5 epochs "
        "([training] epochs_per_interval); use 0.5"
    )


def test_search_that_measured_nothing_is_told(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    done = invoke("finalists", directory.path)
    assert done.code == 2
    assert "none of its 0 ended candidates has an estimate, so there are no finalists" in done.err
    assert not directory.finalists_dir.exists()


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([], "2 for 100.0"),
        (["--count=5"], "5 for 100.0"),
        (["--max-epochs=6"], "2 for 6.0"),
    ],
)
def test_what_is_not_said_is_as_for_those_that_lie_there(
    said: list[str], asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(configuration: Configuration, **_: object) -> None:
        section = configuration.finalists
        raise RunDirectoryError(f"{section.count} for {section.max_epochs}")

    monkeypatch.setattr(finalists, "run_finalists", tell)
    directory = started_run(tmp_path / "run", Configuration())
    there = Configuration.model_validate(
        {"training": {"max_epochs": 100.0}, "finalists": {"origins": (3, 1)}}
    )
    started_run(directory.finalists_dir, there)
    assert refusal("finalists", directory.path, *said, tree=tmp_path) == asked
