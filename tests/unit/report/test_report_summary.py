"""The figures of a campaign, against numbers worked out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from report_records import NAN, make_record, small_campaign

from hpc_nas.report.summary import Best, Latency, Redraws, Resumptions, summarize


def test_small_campaign_is_counted_and_measured() -> None:
    summary = summarize(small_campaign())

    assert summary.candidates == 5
    assert summary.outcomes == {
        "finished": 1,
        "stopped": 1,
        "failed": 1,
        "cancelled": 0,
        "queued": 1,
        "running": 1,
    }
    assert summary.reasons == {"converged": 1, "full_budget": 1, "non_finite": 1}
    assert summary.epochs_trained == 20 + 6 + 1 + 2
    assert summary.epochs_full == 2 * 20
    assert summary.epochs_saved_percent == pytest.approx(100 * (1 - 25 / 40))
    assert summary.best == Best(candidate=1, estimate=91.5, accuracy=90.0)
    assert summary.elapsed_s == 60.0
    assert summary.candidates_per_hour == pytest.approx(2 * 60)
    # Trainer 0: 10..18 s; trainer 1: 20..32 s; three attempts of 3 s each.
    assert summary.trainer_busy_percent == pytest.approx(100 * 9 / 20, abs=1e-4)


def test_rejected_draws_are_summed() -> None:
    record = small_campaign()
    record.candidates["redraws"], record.candidates["beyond_limits"] = [4, 0, 2, 0, 1], [3, 0, 0, 0, 1]
    assert summarize(record).redraws == Redraws(draws=7, beyond_limits=4)


def test_latencies_are_joined_by_attempt_and_trainer() -> None:
    latencies = summarize(small_campaign()).latencies

    # Signal sent at 23.5, seen at 23.52 (0.01 beyond a batch of 0.01), left at 23.55.
    assert latencies.stop_s.count == 1
    assert latencies.stop_s.median == pytest.approx(0.04, abs=1e-5)
    # Trainer 1 left at 23.55 and began again at 24.
    assert latencies.handover_s.count == 1
    assert latencies.handover_s.p90 == pytest.approx(0.45, abs=1e-5)
    assert latencies.read_lag_s == Latency(median=pytest.approx(0.002), p90=pytest.approx(0.0028), count=2)
    assert latencies.fit_s == Latency(median=pytest.approx(0.005), p90=pytest.approx(0.0058), count=2)


def test_empty_campaign_has_zeros_and_nulls() -> None:
    none = {"median": None, "p90": None, "count": 0}

    assert json.loads(summarize(make_record()).to_json()) == {
        "candidates": 0,
        "outcomes": {"finished": 0, "stopped": 0, "failed": 0, "cancelled": 0},
        "reasons": {},
        "redraws": {"draws": 0, "beyond_limits": 0},
        "epochs_trained": 0.0,
        "epochs_full": 0.0,
        "epochs_saved_percent": None,
        "objective": "accuracy",
        "best": None,
        "pareto": [],
        "elapsed_s": 0.0,
        "candidates_per_hour": None,
        "trainer_busy_percent": None,
        "resumptions": {"pauses": 0, "from_checkpoints": 0, "epochs_trained_twice": 0.0},
        "excluded_nodes": [],
        "latencies": {"stop_s": none, "handover_s": none, "read_lag_s": none, "fit_s": none},
        "audit": {
            "audited": 0,
            "would_have_stopped": 0,
            "false_stops_10": {"in_top": 0, "stopped": 0, "rate": None},
            "false_stops_20": {"in_top": 0, "stopped": 0, "rate": None},
            "mean_absolute_error": None,
            "kendall_tau": None,
            "coverage_90": None,
            "intervals": 0,
            "epochs_cost": 0.0,
        },
        "finalists": [],
        "problems": [],
    }


def test_candidates_that_were_set_aside_and_went_on_are_counted() -> None:
    candidates = [
        {"number": 0, "state": "paused", "reason": "", "pauses": 2, "resumptions": 1},
        {"number": 1, "resumptions": 3, "epochs_all_attempts": 22, "epochs_twice": 2.0},
    ]
    record = replace(make_record(candidates=candidates), excluded_nodes=("node7",))
    summary = summarize(record)
    assert summary.outcomes == {"finished": 1, "stopped": 0, "failed": 0, "cancelled": 0, "paused": 1}
    assert summary.resumptions == Resumptions(pauses=2, from_checkpoints=4, epochs_trained_twice=2.0)
    assert json.loads(summary.to_json())["excluded_nodes"] == ["node7"]


def test_failed_candidates_save_nothing() -> None:
    failed = [
        {"number": n, "state": "failed", "reason": "build", "epochs": 0, "epochs_all_attempts": 0}
        for n in range(3)
    ]
    summary = summarize(make_record(candidates=failed, elapsed_s=10.0))

    assert summary.outcomes == {"finished": 0, "stopped": 0, "failed": 3, "cancelled": 0}
    assert (summary.epochs_trained, summary.epochs_full, summary.best) == (0.0, 0.0, None)
    assert math.isnan(summary.epochs_saved_percent)
    assert summary.candidates_per_hour == 0.0


def test_cancelled_candidates_neither_cost_nor_save() -> None:
    summary = summarize(
        make_record(
            max_epochs=10.0,
            candidates=[
                {
                    "number": 0,
                    "epochs": 10,
                    "epochs_all_attempts": 10,
                    "estimate": 50.0,
                    "best_accuracy": 50.0,
                },
                {
                    "number": 1,
                    "state": "cancelled",
                    "reason": "cancelled",
                    "epochs": 3,
                    "epochs_all_attempts": 3,
                },
            ],
        )
    )

    assert summary.epochs_trained == 13.0
    assert summary.epochs_full == 10.0
    assert summary.epochs_saved_percent == 0.0


def test_best_is_the_lowest_number_among_equals_and_never_nan() -> None:
    candidates = [
        {"number": 0, "estimate": NAN},
        {"number": 1, "estimate": 70.0, "best_accuracy": 69.0},
        {"number": 2, "estimate": 70.0, "best_accuracy": 70.0},
    ]

    assert summarize(make_record(candidates=candidates)).best == Best(
        candidate=1, estimate=70.0, accuracy=69.0
    )


def test_attempt_that_never_reached_a_batch_is_no_span() -> None:
    attempts = [
        {"candidate": 0, "first_batch_time": NAN, "left_time": 5.0, "rank": 0},
        {
            "candidate": 1,
            "first_batch_time": 6.0,
            "left_time": 10.0,
            "train_s": 3.0,
            "validate_s": 0.5,
            "rank": 0,
        },
        {"candidate": 2, "first_batch_time": NAN, "left_time": 9.0, "rank": 1},
    ]
    summary = summarize(make_record(attempts=attempts))

    assert summary.trainer_busy_percent == pytest.approx(100 * 3.5 / 4, abs=1e-4)
    assert summary.latencies.handover_s.median == pytest.approx(1.0, abs=1e-5)


def test_signal_that_came_too_late_is_no_stop_latency() -> None:
    record = make_record(
        attempts=[{"candidate": 0, "first_batch_time": 0.0, "left_time": 5.0}],
        outcomes=[{"candidate": 0, "state": "finished", "signal_time": 4.9, "ended_time": 5.0}],
    )

    assert summarize(record).latencies.stop_s.count == 0


def test_groups_are_kept_apart() -> None:
    attempts = [
        {"candidate": 0, "first_batch_time": 0.0, "left_time": 5.0, "rank": 0, "group": 0},
        {"candidate": 1, "first_batch_time": 100.0, "left_time": 110.0, "rank": 0, "group": 1},
    ]

    assert summarize(make_record(attempts=attempts)).latencies.handover_s.count == 0
