"""Campaign records made by hand: every field that a test does not name has a harmless default."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpc_nas.configuration import Configuration
from hpc_nas.records.campaign_record import TABLES, CampaignRecord

NAN = math.nan
START = 1_800_000_000.0
"""When the campaign began; times in the tests count from here."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "candidates": {
        "seed": 7,
        "num_parameters": 12_345,
        "num_layers": 4,
        "macs": 2_500_000,
        "state": "finished",
        "reason": "full_budget",
        "attempts": 1,
    },
    "observations": {
        "val_loss": 1.0,
        "train_loss": 1.0,
        "learning_rate": 0.01,
        "train_s": 1.0,
        "validate_s": 0.5,
    },
    "attempts": {"state": "finished", "reason": "full_budget", "last_batch_s": 0.0},
    "forecasts": {"action": "go"},
    "outcomes": {"state": "finished", "reason": "full_budget", "rank": 2},
}
UNKNOWN_BY_DEFAULT = (
    "estimate",
    "spread",
    "best_accuracy",
    "signal_time",
    "decided_time",
    "forecast",
    "low",
    "high",
    "a",
    "b",
    "c",
)


def table(name: str, rows: list[dict[str, Any]]) -> np.ndarray:
    """Rows of one table of a record; text is given as str, times count from START."""
    result = np.zeros(len(rows), dtype=TABLES[name])
    for field in UNKNOWN_BY_DEFAULT:
        if field in result.dtype.names:
            result[field] = NAN
    for target, row in zip(result, rows, strict=True):
        for field, value in (DEFAULTS[name] | row).items():
            if isinstance(value, str):
                target[field] = value.encode()
            elif field.endswith("_time") or field == "time_s":
                target[field] = START + value
            else:
                target[field] = value
    return result


def make_record(
    *,
    max_epochs: float = 20.0,
    mode: str = "stop",
    elapsed_s: float = 0.0,
    problems: tuple[str, ...] = (),
    close_reason: str = "complete",
    **tables: list[dict[str, Any]],
) -> CampaignRecord:
    """A record with these rows; a table that is not named is empty."""
    configuration = Configuration.model_validate(
        {"campaign": {"name": "by-hand"}, "training": {"max_epochs": max_epochs}, "estimator": {"mode": mode}}
    )
    arrays = {name: table(name, tables.get(name, [])) for name in TABLES}
    return CampaignRecord(
        name="by-hand",
        host="node7",
        commit="0123456789abcdef",
        versions={},
        data={},
        configuration=configuration.model_dump(mode="json"),
        created_time=START,
        elapsed_s=elapsed_s,
        close_reason=close_reason,
        problems=problems,
        parameters=[{"num_conv_layers": 2} for _ in arrays["candidates"]],
        **arrays,
    )


def small_campaign(*, mode: str = "stop") -> CampaignRecord:
    """Five candidates on two trainers: finished, stopped, failed, running, queued; times in seconds from START.

    Candidate 1 (stopped) lost its first attempt with its rank: that one has observations and no end.
    """
    candidates = [
        {
            "number": 0,
            "estimate": 80.0,
            "spread": 0.0,
            "best_accuracy": 80.0,
            "epochs": 20,
            "epochs_all_attempts": 20,
        },
        {
            "number": 1,
            "state": "stopped",
            "reason": "converged",
            "estimate": 91.5,
            "spread": 1.25,
            "best_accuracy": 90.0,
            "epochs": 5,
            "epochs_all_attempts": 6,
            "attempts": 2,
        },
        {
            "number": 2,
            "state": "failed",
            "reason": "non_finite",
            "epochs": 1,
            "epochs_all_attempts": 1,
            "message": "the loss is nan [batch 3]",
        },
        {
            "number": 3,
            "state": "running",
            "reason": "",
            "best_accuracy": 30.0,
            "epochs": 2,
            "epochs_all_attempts": 2,
        },
        {"number": 4, "state": "queued", "reason": "", "attempts": 0},
    ]
    observations = [
        *_curve(0, accuracies=[50.0, 60.0, 70.0, 80.0], epochs=[5, 10, 15, 20], start=10.0),
        *_curve(1, accuracies=[40.0], epochs=[1], start=10.0, rank=1),
        *_curve(1, accuracies=[85.0, 90.0], epochs=[2.5, 5], start=20.0, attempt=1, rank=1),
        *_curve(2, accuracies=[11.0], epochs=[1], start=30.0, rank=1),
        *_curve(3, accuracies=[30.0, 25.0], epochs=[1, 2], start=40.0, rank=1),
    ]
    times = [(0, 0, 10.0, NAN, 18.0, 0), (1, 1, 20.0, 23.52, 23.55, 1), (2, 0, 24.0, NAN, 32.0, 1)]
    ends = {0: ("finished", "full_budget"), 1: ("stopped", "converged"), 2: ("failed", "non_finite")}
    attempts = [
        {
            "candidate": candidate,
            "attempt": attempt,
            "received_time": first - 0.1,
            "first_batch_time": first,
            "signal_time": signal,
            "left_time": left,
            "train_s": 2.0,
            "validate_s": 1.0,
            "last_batch_s": 0.01,
            "state": ends[candidate][0],
            "reason": ends[candidate][1],
            "rank": rank,
        }
        for candidate, attempt, first, signal, left, rank in times
    ]
    outcomes = [
        {
            "candidate": candidate,
            "attempt": attempt,
            "state": ends[candidate][0],
            "reason": ends[candidate][1],
            "signal_time": 23.5 if candidate == 1 else NAN,
            "ended_time": left,
        }
        for candidate, attempt, _, _, left, _ in times
    ]
    forecasts = [
        {"candidate": 1, "attempt": 1, "epoch": 2.5, "forecast": 93.0, "fit_s": 0.004, "read_lag_s": 0.001},
        {
            "candidate": 1,
            "attempt": 1,
            "epoch": 5,
            "forecast": 91.5,
            "action": "stop",
            "reason": "converged",
            "estimate": 91.5,
            "fit_s": 0.006,
            "read_lag_s": 0.003,
        },
        {"candidate": 3, "attempt": 0, "epoch": 2, "forecast": 44.25, "fit_s": NAN, "read_lag_s": NAN},
    ]
    return make_record(
        mode=mode,
        elapsed_s=60.0,
        close_reason="",
        candidates=candidates,
        observations=observations,
        attempts=attempts,
        outcomes=outcomes,
        forecasts=forecasts,
    )


def _curve(
    candidate: int,
    *,
    accuracies: list[float],
    epochs: list[float],
    start: float,
    attempt: int = 0,
    rank: int = 0,
) -> list[dict[str, Any]]:
    return [
        {
            "candidate": candidate,
            "attempt": attempt,
            "epoch": epoch,
            "val_accuracy": accuracy,
            "time_s": start + 1.5 * (index + 1),
            "rank": rank,
        }
        for index, (accuracy, epoch) in enumerate(zip(accuracies, epochs, strict=True))
    ]
