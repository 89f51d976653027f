"""What all benchmarks share: going on where one was stopped, what is said of failures, and the file of results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pydantic import Field

from benchmarks.bench.command import NotMeasured, Run, add_work, parse, parser_of
from benchmarks.bench.environment import ROOT
from benchmarks.bench.store import Results
from benchmarks.bench.values import Number

COMMITTED = ROOT / "benchmarks" / "results"
PARTS = ("one", "two")


class Found(Results):
    """Of a made-up benchmark."""

    values: tuple[Number, ...] = ()
    texts: dict[str, dict[str, str]] = Field(default_factory=dict)


def run_of(output: Path, *options: str) -> Run[Found]:
    parser = parser_of("made up", output=COMMITTED, parts=PARTS)
    return Run(parse(parser, ["--output", str(output), *options]), Found)


def test_what_was_kept_is_known_to_the_next_call(tmp_path: Path) -> None:
    run_of(tmp_path).keep(Found(values=(1.0, 2.0)))
    assert run_of(tmp_path).results.values == (1.0, 2.0)


def test_known_part_is_due_only_by_force(tmp_path: Path) -> None:
    assert not run_of(tmp_path).is_due("one", known=True)
    assert run_of(tmp_path).is_due("one", known=False)
    assert run_of(tmp_path, "--force").is_due("one", known=True)


def test_nothing_is_due_once_the_time_is_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(tmp_path, "--max-minutes", "-1")
    assert not any(run.is_due(part, known=False) for part in PARTS)
    assert (
        capsys.readouterr().out == "no time left for one and what comes after it; the same command goes on\n"
    )


def test_only_the_parts_that_were_asked_for_are_chosen(tmp_path: Path) -> None:
    assert run_of(tmp_path).chosen(PARTS) == ["one", "two"]
    assert run_of(tmp_path, "--only", "two").chosen(PARTS) == ["two"]


def test_failed_part_is_told_by_the_exit_code_and_keeps_no_other_from_its_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path)
    assert run.end(tmp_path) == 0
    with run.measuring("one"):
        raise NotMeasured("its job has failed")
    assert run.end(tmp_path) == 1
    assert capsys.readouterr().err == "one: not measured: its job has failed\n"


def test_quick_run_does_not_touch_the_committed_results(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_of(COMMITTED, "--quick")
    assert "--quick does not write into" in capsys.readouterr().err
    parser = parser_of("made up", output=COMMITTED, parts=PARTS)
    assert parse(parser, []).output == COMMITTED
    quick = parse(parser, ["--quick"]).output
    assert quick.is_dir()
    quick.rmdir()


def test_work_directory_is_kept_where_one_is_named(tmp_path: Path) -> None:
    parser = parser_of("made up", output=COMMITTED, parts=PARTS)
    add_work(parser)
    for options, stays in (([], False), (["--work", str(tmp_path / "work")], True)):
        run = Run(parse(parser, ["--output", str(tmp_path), *options]), Found)
        with run.workspace() as workspace:
            workspace.new_run_dir("a").mkdir(parents=True)
            assert workspace.new_run_dir("a").name == "a-1"
        assert workspace.runs_dir.exists() == stays


def test_results_come_back_as_they_were_and_innermost_lists_take_a_line(tmp_path: Path) -> None:
    found = Found(values=(1.0, math.nan), texts={"log": {"two  spaces": "a [b]\n c"}, "none": {}})
    found.save(tmp_path)
    assert repr(Found.load(tmp_path)) == repr(found)
    lines = (tmp_path / "results.json").read_text().splitlines()
    assert ' "values": [1.0, null],' in lines
    assert json.loads("\n".join(lines))["texts"] == found.texts


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"other": 1}')
    with pytest.raises(ValueError, match="no results of this benchmark; move it away, or give --output"):
        Found.load(tmp_path)
