"""Tables as they look in 80 columns without a terminal."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import pytest
from report_records import NAN, make_record, small_campaign
from rich.console import Console, RenderableType

from hpc_nas.report import formatting
from hpc_nas.report.summary import summarize
from hpc_nas.report.tables import MAX_FAILED, doctor_table, report_tables, status_table, summary_table


def lines_of(renderable: RenderableType) -> list[str]:
    """What a batch log gets, line by line; none may be wider than 80."""
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(renderable)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert max(len(line) for line in lines) <= 80
    return lines


def test_summary_says_each_figure_once() -> None:
    assert lines_of(summary_table(summarize(small_campaign()))) == [
        "candidates  5: 1 finished, 1 stopped, 1 failed, 1 queued, 1 running",
        "reasons     1 converged, 1 full_budget, 1 non_finite",
        "best        candidate 1: estimate 91.50 %, best accuracy seen 90.00 %",
        "epochs      29 trained; 37.5 % of 40 saved",
        "time        0:01:00, 120 candidates per hour, trainers 45.0 % busy",
        "",
        "latency                                             median     90 %  number",
        "stop signal -> trainer has left, beyond the batch  40.0 ms  40.0 ms       1",
        "trainer has left -> next candidate's first batch    450 ms   450 ms       1",
        "row written -> read by the estimator               2.00 ms  2.80 ms       2",
        "one forecast                                       5.00 ms  5.80 ms       2",
    ]


def test_summary_counts_draws_only_where_constraints_threw_some_away() -> None:
    record = small_campaign()
    record.candidates["redraws"] = 2
    assert not any("drawn again" in line for line in lines_of(summary_table(summarize(record))))
    record.candidates["beyond_limits"][0] = 1
    assert "drawn again  10 draws rejected, 1 of them beyond the constraints" in lines_of(
        summary_table(summarize(record))
    )


def test_summary_of_an_empty_campaign_has_no_figures_to_show() -> None:
    assert lines_of(summary_table(summarize(make_record()))) == [
        "candidates  none",
        "best        none yet",
        "epochs      0 trained",
        "time        0:00:00, - candidates per hour, trainers - busy",
    ]


def test_status_shows_what_is_being_trained() -> None:
    record = small_campaign()
    lines = lines_of(status_table(record, summarize(record)))

    assert lines[0].startswith("campaign by-hand on node7, commit 0123456789ab, started ")
    assert lines[1] == "40 candidates asked for; running, or was killed"
    rows = [line.split() for line in lines]
    assert ["3", "0.1", "2", "of", "20", "25.00", "30.00", "44.25"] in rows
    assert lines[-1].startswith("last observation ")


def test_status_shows_a_candidate_that_has_no_observation_yet() -> None:
    record = make_record(candidates=[{"number": 6, "state": "running", "reason": ""}])
    lines = lines_of(status_table(record, summarize(record)))

    assert ["6", "-", "-", "-", "-", "-"] in [line.split() for line in lines]


def test_report_lists_the_best_and_the_failed() -> None:
    record = small_campaign()
    lines = lines_of(report_tables(record, summarize(record)))
    rows = [line.split() for line in lines]

    best = rows.index(
        ["1", "91.50", "±", "1.25", "90.00", "5", "12.3", "k", "2.50", "M", "4", "stopped:", "converged"]
    )
    assert rows[best + 1] == ["0", "80.00", "80.00", "20", "12.3", "k", "2.50", "M", "4", "finished"]
    assert ["2", "1", "1", "non_finite", "the", "loss", "is", "nan", "[batch", "3]"] in rows


def test_report_names_at_most_ten_best_and_some_failed() -> None:
    good = [{"number": n, "estimate": 50.0 + n, "best_accuracy": 50.0 + n} for n in range(12)]
    bad = [{"number": 12 + n, "state": "failed", "reason": "build"} for n in range(MAX_FAILED + 3)]
    record = make_record(candidates=good + bad)
    lines = lines_of(report_tables(record, summarize(record)))

    assert sum(line.endswith("finished") for line in lines) == 10
    assert sum("build" in line for line in lines[6:]) == MAX_FAILED
    assert "and 3 more" in lines


def test_files_that_could_not_be_read_are_named() -> None:
    record = make_record(problems=("groups/0/rank-00001.h5: truncated [file]",))

    for table in (status_table, report_tables):
        lines = lines_of(table(record, summarize(record)))
        assert "not readable, left out: groups/0/rank-00001.h5: truncated [file]" in lines


@dataclass(frozen=True)
class Finding:
    name: str
    status: str
    detail: str
    advice: str = ""


def test_findings_come_with_advice_below() -> None:
    findings = [
        Finding("MPI", "OK", "3 ranks met [mpich]"),
        Finding("HDF5 locking", "FAIL", "no locks", "set HDF5_USE_FILE_LOCKING=FALSE"),
    ]

    assert lines_of(doctor_table(findings)) == [
        "OK    MPI           3 ranks met [mpich]",
        "FAIL  HDF5 locking  no locks",
        "                    -> set HDF5_USE_FILE_LOCKING=FALSE",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_996, "10.0 k"),
        (123_456, "123 k"),
        (999_999, "1.00 M"),
        (NAN, "-"),
    ],
)
def test_counts_have_three_digits(value: float, text: str) -> None:
    assert formatting.count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00012, "0.12 ms"),
        (0.0123, "12.3 ms"),
        (0.4567, "457 ms"),
        (4.5, "4.5 s"),
        (12.34, "12.3 s"),
        (NAN, "-"),
    ],
)
def test_latencies_have_a_fitting_unit(seconds: float, text: str) -> None:
    assert formatting.latency(seconds) == text


def test_spread_beyond_the_range_is_not_spelt_out() -> None:
    assert formatting.accuracy(9.5, 67_000.0) == "9.50 ± >100"
    assert formatting.accuracy(9.5, 0.0) == "9.50"
    assert formatting.accuracy(NAN, 1.0) == "-"


def test_durations_are_read_as_a_clock() -> None:
    assert [formatting.duration(s) for s in (0.4, 59.6, 3_661.0, 360_000.0, NAN)] == [
        "0:00:00",
        "0:01:00",
        "1:01:01",
        "100:00:00",
        "-",
    ]


def test_pauses_resumptions_and_excluded_nodes_are_shown() -> None:
    candidates = [
        {"number": 0, "state": "paused", "reason": "", "pauses": 2, "resumptions": 1, "epochs_twice": 1.5}
    ]
    record = replace(make_record(candidates=candidates), excluded_nodes=("node7", "node8"))
    lines = lines_of(summary_table(summarize(record)))
    assert lines[0] == "candidates  1: 1 paused"
    assert "resumed     2 pauses, 1 attempts from checkpoints, 1.5 epochs trained twice" in lines
    assert "excluded    node7, node8" in lines
