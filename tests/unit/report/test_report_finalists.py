"""The table of finalists: beside the estimate what was reached, and what went wrong."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from report_records import make_record
from rich.console import Console

from hpc_nas.configuration import Configuration, FinalistsSection
from hpc_nas.records.ledger import AttemptStarted, CandidateDrawn, CandidateEnded, LedgerWriter
from hpc_nas.records.network_files import RESULT_NAME, NetworkResult, network_dir
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.report.finalists import FinalistFigures, finalists_of
from hpc_nas.report.summary import summarize
from hpc_nas.report.tables import report_tables
from hpc_nas.values import Candidate, Outcome, Reason, State

SEARCH = make_record(
    candidates=[
        {"number": 4, "estimate": 80.0, "spread": 0.0, "epochs": 20},
        {"number": 7, "state": "stopped", "reason": "converged", "estimate": 91.5, "spread": 1.25},
        {"number": 9, "estimate": 85.0, "spread": 0.0, "epochs": 20},
    ]
)


def result(**changes: object) -> NetworkResult:
    values = {
        "candidate": 7,
        "finalist": 0,
        "seed": 1,
        "epochs": 6.0,
        "weights_epoch": 5.0,
        "val_accuracy": 93.0,
        "val_loss": 0.2,
        "test_accuracy": 92.0,
        "test_loss": 0.3,
        "num_test": 100,
        "test_set": "untouched",
        "checksum": "c",
        "files": {"weights": "weights.pt", "onnx": "not exported: package onnx is not installed"},
    }
    return NetworkResult.model_validate({**values, **changes})


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A search with three finalists: one saved, one failed, one in training."""
    directory = RunDirectory.create(tmp_path / "run")
    directory.publish(directory.configuration_path, Configuration().model_dump_json())
    finals = RunDirectory.create(directory.finalists_dir)
    configured = Configuration(finalists=FinalistsSection(origins=(7, 9, 4)))
    finals.publish(finals.configuration_path, configured.model_dump_json())
    ends = {0: (State.FINISHED, Reason.FULL_BUDGET, ""), 1: (State.FAILED, Reason.NON_FINITE, "loss is nan")}
    with LedgerWriter(finals.ledger_path) as ledger:
        for number in range(3):
            drawn = Candidate(number=number, seed=1, parameters={}, num_parameters=1, num_layers=1, macs=1)
            ledger.append(CandidateDrawn(candidate=drawn, time_s=1.0))
            ledger.append(AttemptStarted(candidate=number, attempt=0, group=0, time_s=1.5))
            if number in ends:
                state, reason, message = ends[number]
                outcome = Outcome(
                    candidate=number, attempt=0, state=state, reason=reason, message=message, epochs=6.0
                )
                ledger.append(CandidateEnded(outcome=outcome, group=0, time_s=2.0))
    save(finals, result())
    return directory.path


def save(finals: RunDirectory, saved: NetworkResult) -> None:
    where = network_dir(finals, saved.candidate)
    where.mkdir(parents=True, exist_ok=True)
    finals.publish(where / RESULT_NAME, saved.model_dump_json())


def printed(finalists: tuple[FinalistFigures, ...]) -> str:
    console = Console(width=100, file=io.StringIO())
    with console.capture() as captured:
        console.print(report_tables(SEARCH, summarize(SEARCH, finalists=finalists)))
    return captured.get()


def test_search_without_finalists_has_no_table(tmp_path: Path) -> None:
    assert finalists_of(tmp_path, SEARCH) == ()
    assert "finalists" not in printed(())


def test_finalists_stand_beside_their_estimates(run_dir: Path) -> None:
    saved, failed, running = finalists_of(run_dir, SEARCH)
    assert (saved.candidate, saved.estimate, saved.spread) == (7, 91.5, 1.25)
    assert (saved.val_accuracy, saved.test_accuracy, saved.weights_epoch) == (93.0, 92.0, 5.0)
    assert saved.directory.endswith("finalists/networks/candidate-00007")
    assert (failed.candidate, failed.outcome, failed.message) == (9, "failed: non_finite", "loss is nan")
    assert math.isnan(failed.test_accuracy)
    assert (running.candidate, running.outcome, running.directory) == (4, "running", "")


def test_table_shows_each_finalist_and_what_is_to_be_known(run_dir: Path) -> None:
    text = printed(finalists_of(run_dir, SEARCH))
    rows = [line.split() for line in text[text.index("finalists 3") :].splitlines()]
    assert ["7", "91.50", "±", "1.25", "93.00", "92.00", "6", "epoch", "5", "finished"] in rows
    assert ["9", "85.00", "-", "-", "6", "-", "failed:", "non_finite"] in rows
    assert "candidate 9: loss is nan" in text
    assert "candidate 7: onnx not exported: package onnx is not installed" in text
    assert "validate_on_test" not in text


def test_test_set_that_was_validated_on_is_no_untouched_one(run_dir: Path) -> None:
    save(RunDirectory(run_dir / "finalists"), result(test_set="validated on"))
    assert "the search validated on these very samples ([data] validate_on_test)" in printed(
        finalists_of(run_dir, SEARCH)
    )


def test_json_has_the_finalists_with_nulls_for_what_is_not_known(run_dir: Path) -> None:
    rows = json.loads(summarize(SEARCH, finalists=finalists_of(run_dir, SEARCH)).to_json())["finalists"]
    assert [(row["candidate"], row["test_accuracy"]) for row in rows] == [(7, 92.0), (9, None), (4, None)]


def test_result_that_is_none_of_ours_is_named_and_the_rest_is_shown(run_dir: Path) -> None:
    (network_dir(RunDirectory(run_dir / "finalists"), 7) / RESULT_NAME).write_text("{}")
    saved, *others = finalists_of(run_dir, SEARCH)
    assert "not the result of a network of this version" in saved.message
    assert len(others) == 2
