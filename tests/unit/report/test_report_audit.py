"""The audit: what is measured on candidates that were trained to the end whatever was decided."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from report_records import make_record

from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.report.audit import FalseStops, audit
from hpc_nas.report.audit_rows import audit_rows
from hpc_nas.report.summary import summarize

Row = dict[str, Any]


def candidate(number: int, truth: float, *, audited: int = 1, state: str = "finished") -> Row:
    reason = "full_budget" if state == "finished" else "converged"
    return {
        "number": number,
        "estimate": truth,
        "best_accuracy": truth,
        "epochs": 20.0,
        "audited": audited,
        "state": state,
        "reason": reason,
    }


def stop(number: int, epoch: float, *, estimate: float, spread: float = math.nan, **more: float) -> Row:
    """A decision to stop; the last one of a candidate is not the first, which counts."""
    return {
        "candidate": number,
        "epoch": epoch,
        "forecast": estimate,
        "estimate": estimate,
        "spread": spread,
        "action": "stop",
        "reason": "unlikely_best",
        **more,
    }


def go(number: int, epoch: float) -> Row:
    return {"candidate": number, "epoch": epoch, "forecast": 1.0, "spread": 1.0}


def campaign(**changes: Any) -> CampaignRecord:
    """20 candidates with truths 80, 79, ...; 0, 1, 7 and 12 are audited, and all but 1 would have been stopped."""
    candidates = [
        candidate(
            n,
            80.0 - n,
            audited=int(n in (0, 1, 7, 12)),
            state="finished" if n in (0, 1, 7, 12, 19) else "stopped",
        )
        for n in range(20)
    ]
    forecasts = [
        go(0, 2.0),
        stop(0, 5.0, estimate=75.0, spread=1.0),  # 73.36..76.64: does not hold 80
        stop(0, 10.0, estimate=80.0, spread=1.0),
        go(1, 5.0),
        stop(7, 2.0, estimate=74.0, spread=1.0),  # 72.36..75.64: holds 73
        stop(12, 4.0, estimate=60.0, spread=1.0, low=50.0, high=68.5),  # holds 68; its spread would not
        stop(19, 1.0, estimate=10.0, spread=1.0),  # not audited
        stop(3, 1.0, estimate=77.0, spread=1.0),
    ]
    return make_record(**{"candidates": candidates, "forecasts": forecasts, **changes})


def test_figures_rest_on_the_first_decision_to_stop_each_audited_candidate() -> None:
    found = audit(campaign())
    assert (found.audited, found.would_have_stopped) == (4, 3)
    assert found.mean_absolute_error == pytest.approx((5.0 + 1.0 + 8.0) / 3)
    assert found.kendall_tau == pytest.approx(1.0)
    assert (found.coverage_90, found.intervals) == (pytest.approx(2 / 3), 3)
    assert found.epochs_cost == 15.0 + 18.0 + 16.0


def test_false_stop_is_one_of_a_candidate_that_is_truly_among_the_best() -> None:
    found = audit(campaign())
    assert found.false_stops_10 == FalseStops(in_top=2, stopped=1, rate=0.5)  # 0 and 1 of 20
    assert found.false_stops_20 == FalseStops(in_top=2, stopped=1, rate=0.5)
    candidates = [candidate(n, 80.0 - n) for n in range(10)]
    record = make_record(candidates=candidates, forecasts=[stop(n, 5.0, estimate=1.0) for n in (1, 2, 5)])
    assert audit(record).false_stops_10 == FalseStops(in_top=1, stopped=0, rate=0.0)
    assert audit(record).false_stops_20 == FalseStops(in_top=2, stopped=1, rate=0.5)


def test_everybody_counts_in_mode_observe() -> None:
    candidates = [candidate(n, 80.0 - n, audited=0) for n in range(3)]
    forecasts = [stop(n, 5.0, estimate=80.0 - n) for n in range(3)]
    found = audit(make_record(mode="observe", candidates=candidates, forecasts=forecasts))
    assert (found.audited, found.would_have_stopped, found.mean_absolute_error) == (3, 3, 0.0)
    assert audit(make_record(mode="stop", candidates=candidates, forecasts=forecasts)).audited == 0


def test_candidate_that_has_not_finished_says_nothing() -> None:
    candidates = [
        candidate(0, 80.0) | {"state": "running", "reason": "", "estimate": math.nan},
        candidate(1, 80.0) | {"state": "failed", "reason": "non_finite", "estimate": math.nan},
    ]
    found = audit(make_record(candidates=candidates, forecasts=[stop(n, 5.0, estimate=70.0) for n in (0, 1)]))
    assert (found.audited, found.would_have_stopped) == (0, 0)


def test_estimate_without_spread_has_no_interval() -> None:
    record = make_record(candidates=[candidate(0, 80.0)], forecasts=[stop(0, 5.0, estimate=70.0)])
    found = audit(record)
    assert (found.mean_absolute_error, found.intervals) == (10.0, 0)
    assert math.isnan(found.coverage_90)
    assert math.isnan(found.kendall_tau)


def test_lost_attempts_do_not_count() -> None:
    """Only the attempt that reached the end says what the rule would have done."""
    forecasts = [
        stop(0, 1.0, estimate=10.0) | {"attempt": 0},
        go(0, 1.0) | {"attempt": 1},
        stop(0, 8.0, estimate=78.0) | {"attempt": 1},
    ]
    found = audit(make_record(candidates=[candidate(0, 80.0)], forecasts=forecasts))
    assert (found.mean_absolute_error, found.epochs_cost) == (2.0, 12.0)


def test_figures_are_shown_and_part_of_the_json() -> None:
    summary = summarize(campaign())
    assert audit_rows(summary.audit) == [
        ("audit", "4 trained to the end; 3 would have been stopped, 49 epochs earlier in all"),
        ("false stops", "1 of 2 among the best 10 %, 1 of 2 among the best 20 %"),
        ("estimates", "off by 4.67 points, tau 1.00, 90 % intervals hold 2 of 3"),
    ]
    assert json.loads(summary.to_json())["audit"]["false_stops_10"] == {
        "in_top": 2,
        "stopped": 1,
        "rate": 0.5,
    }


def test_campaign_without_an_audited_candidate_shows_no_audit() -> None:
    assert audit_rows(audit(make_record())) == []
    one = make_record(candidates=[candidate(0, 80.0)])
    assert audit_rows(audit(one)) == [("audit", "1 trained to the end; no decision to stop")]
