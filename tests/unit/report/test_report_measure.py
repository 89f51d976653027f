"""A campaign over a text: its percentages are scores, and the perplexity stands beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_records import small_campaign
from test_report_tables import lines_of

from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.report.figures.learning_curves import draw_learning_curves
from hpc_nas.report.summary import summarize
from hpc_nas.report.tables import report_tables, status_table, summary_table

TEXT = {"objective": "perplexity", "problem": {"vocabulary_size": 10_000, "sequence_length": 35}}


@pytest.fixture
def record() -> CampaignRecord:
    """The best candidate has a score of 90: 10,000 to the power of 0.1."""
    return replace(small_campaign(), data=TEXT)


def test_the_best_line_shows_the_perplexity(record: CampaignRecord) -> None:
    best = "best        candidate 1: estimate 91.50 %, best seen 90.00 %, perplexity 2.512"
    assert best in lines_of(summary_table(summarize(record)))
    shown = json.loads(summarize(record).to_json())
    assert shown["objective"] == "perplexity"
    assert shown["best"] == {
        "candidate": 1,
        "estimate": 91.5,
        "accuracy": 90.0,
        "perplexity": pytest.approx(10_000**0.1),
    }


def test_accuracy_has_no_perplexity() -> None:
    shown = json.loads(summarize(small_campaign()).to_json())
    assert (shown["objective"], shown["best"]["perplexity"]) == ("accuracy", None)
    assert not any(
        "perplexity" in line
        for line in lines_of(report_tables(small_campaign(), summarize(small_campaign())))
    )


def test_the_table_of_the_best_has_a_column_more(record: CampaignRecord) -> None:
    lines = lines_of(report_tables(record, summarize(record)))
    heading = next(line for line in lines if "estimate %" in line)
    assert heading.split()[:6] == ["candidate", "estimate", "%", "seen", "%", "perplexity"]
    assert next(line for line in lines if "91.50 ± 1.25" in line).split()[4:6] == ["90.00", "2.5"]


def test_running_candidates_show_a_score(record: CampaignRecord) -> None:
    lines = lines_of(status_table(record, summarize(record)))
    assert any("score %" in line for line in lines)
    assert not any("accuracy" in line for line in lines)


def test_figures_name_the_score(record: CampaignRecord, tmp_path: Path) -> None:
    figure = draw_learning_curves(record, summarize(record))
    assert figure.axes[0].get_ylabel() == "validation score (%)"
