"""Every figure is drawn from any record, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from report_records import NAN, START, make_record, small_campaign

from hpc_nas.errors import RecordError
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.report.figures import FIGURES, draw_all
from hpc_nas.report.figures.timeline import draw_timeline, training_spans
from hpc_nas.report.rows import curves, end_times, first_stops
from hpc_nas.report.summary import summarize

PNG = b"\x89PNG\r\n\x1a\n"


def all_failed() -> CampaignRecord:
    return make_record(candidates=[{"number": n, "state": "failed", "reason": "build"} for n in range(3)])


def everything_nan() -> CampaignRecord:
    return make_record(
        candidates=[{"number": 0, "state": "failed", "reason": "non_finite", "epochs": 1}],
        observations=[{"candidate": 0, "epoch": 1.0, "val_accuracy": NAN, "time_s": 2.0}],
        attempts=[{"candidate": 0, "first_batch_time": NAN, "left_time": 3.0}],
    )


@pytest.mark.parametrize(
    "record",
    [make_record(), all_failed(), everything_nan(), small_campaign(), small_campaign(mode="observe")],
    ids=["empty", "all failed", "all NaN", "small", "small, observed"],
)
def test_every_figure_is_written(record: CampaignRecord, tmp_path: Path) -> None:
    paths = draw_all(record, summarize(record), directory=tmp_path / "new" / "report")

    assert [path.name for path in paths] == list(FIGURES)
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(PNG)
        assert len(content) > 4000


def test_drawing_leaves_no_global_state(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    record = small_campaign()
    draw_all(record, summarize(record), directory=tmp_path)

    assert dict(mpl.rcParams) == before


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file, no directory")
    record = make_record()

    with pytest.raises(RecordError, match="--output DIR"):
        draw_all(record, summarize(record), directory=tmp_path / "report")


def test_curves_are_those_of_the_attempt_that_counts() -> None:
    found = curves(small_campaign())

    assert {number: rows["val_accuracy"].tolist() for number, rows in found.items()} == {
        0: [50.0, 60.0, 70.0, 80.0],
        1: [85.0, 90.0],
        2: [11.0],
        3: [30.0, 25.0],
    }


def test_stop_is_the_first_decision() -> None:
    forecasts = [
        {"candidate": 0, "epoch": epoch, "action": action, "estimate": estimate}
        for epoch, action, estimate in [(1, "go", NAN), (2, "stop", 70.0), (3, "stop", 71.0)]
    ]
    record = make_record(mode="observe", candidates=[{"number": 0}], forecasts=forecasts)

    assert {number: (row["epoch"], row["estimate"]) for number, row in first_stops(record).items()} == {
        0: (2.0, 70.0)
    }


def test_timeline_tells_lost_from_running_attempts() -> None:
    spans = {
        trainer: [(round(start - START, 2), round(end - START, 2), outcome) for start, end, outcome in rows]
        for trainer, rows in training_spans(small_campaign()).items()
    }

    assert spans == {
        (0, 0): [(10.0, 18.0, "finished")],
        (0, 1): [
            (20.0, 23.55, "stopped"),
            (24.0, 32.0, "failed"),
            (10.0, 11.5, "lost"),
            (40.0, 43.0, "running"),
        ],
    }


def test_timeline_says_how_busy_trainers_were_in_all_and_once_they_had_begun() -> None:
    """One trainer trains from 10 to 20 of 20 seconds, half of its own time; the picture begins at 0."""
    record = make_record(
        candidates=[{"number": 0}],
        attempts=[
            {"candidate": 0, "first_batch_time": 10.0, "left_time": 20.0, "train_s": 8.0, "validate_s": 1.0}
        ],
    )
    figure = draw_timeline(record, summarize(record))
    title = "".join(figure.axes[0].get_title(loc=place) for place in ("left", "center"))
    assert title.endswith(", busy 50.0 %, 90.0 % from the first batch on")


def test_candidate_without_an_outcome_row_ends_with_its_last_observation() -> None:
    ends = {number: round(time - START, 2) for number, time in end_times(small_campaign()).items()}

    assert ends == {0: 18.0, 1: 23.55, 2: 32.0, 3: 43.0}


def test_rows_of_unknown_candidates_are_passed_over() -> None:
    record = make_record(
        candidates=[{"number": 1}],
        observations=[
            {"candidate": n, "epoch": 1.0, "val_accuracy": 5.0, "time_s": 1.0} for n in (-1, 0, 1, 99)
        ],
    )

    assert list(curves(record)) == [1]
    assert np.isfinite(end_times(record)[1])
