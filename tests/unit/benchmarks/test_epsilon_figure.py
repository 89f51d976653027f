"""The agent's figure: which candidates count at which epsilon, and what is said of the trend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.search_bench import epsilon
from hpc_nas.configuration import Configuration
from hpc_nas.records.campaign_record import TABLES, CampaignRecord

SCHEDULE = "1.0:3, 0.5:2, 0.1:1"


def record(candidates: list[tuple[int, str, float, float]], **search: Any) -> CampaignRecord:
    """Of candidates (number, state, best accuracy, estimate), half as many again as the schedule was written for."""
    tables = {name: np.zeros(0, dtype=dtype) for name, dtype in TABLES.items()}
    rows = np.zeros(len(candidates), dtype=TABLES["candidates"])
    for row, (number, state, accuracy, estimate) in zip(rows, candidates, strict=True):
        row["number"], row["state"] = number, state.encode()
        row["best_accuracy"], row["estimate"] = accuracy, estimate
    configuration = Configuration.model_validate(
        {
            "campaign": {"name": "agent", "num_candidates": 9},
            "search": {"name": "metaqnn", "schedule": SCHEDULE, **search},
        }
    )
    return CampaignRecord(
        name="agent",
        host="node",
        commit="",
        versions={},
        data={},
        configuration=configuration.model_dump(mode="json"),
        parameters=[{} for _ in candidates],
        **(tables | {"candidates": rows}),
    )


NAN = float("nan")
FEW = [
    (0, "finished", 50.0, 50.0),
    (3, "stopped", 60.0, 64.0),
    (4, "failed", 90.0, NAN),
    (6, "finished", 70.0, 72.0),
    (8, "running", 20.0, NAN),
]


def run(epsilons: list[float], accuracies: list[float]) -> Any:
    return epsilon.AgentRun(epsilons=epsilons, accuracies=accuracies, estimates=accuracies, num_left_out=0)


def test_evaluated_candidates_count_at_the_epsilon_of_their_number() -> None:
    scaled, exact = epsilon.run_of(record(FEW)), epsilon.run_of(record(FEW, counts="exact"))
    assert scaled == epsilon.AgentRun(
        epsilons=(1.0, 1.0, 0.5), accuracies=(50.0, 60.0, 70.0), estimates=(50.0, 64.0, 72.0), num_left_out=2
    )
    assert exact.epsilons == (1.0, 0.5, 0.1)


def test_campaigns_of_other_strategies_have_no_epsilon() -> None:
    other = record(FEW)
    other.configuration["search"] = {"name": "tpe"}
    with pytest.raises(ValueError, match="'tpe' has no epsilon; give campaigns of 'metaqnn'"):
        epsilon.run_of(other)


def test_steps_hold_means_with_standard_errors_over_all_campaigns() -> None:
    found = epsilon.epsilon_figures({"both": [run([1.0, 0.1], [50.0, 80.0]), run([1.0, 1.0], [56.0, NAN])]})[
        "both"
    ]
    assert (found["num_campaigns"], found["num_left_out"]) == (2, 0)
    many, one = found["steps"]
    assert many == pytest.approx(
        {
            "epsilon": 1.0,
            "count": 3,
            "accuracy": 53.0,
            "accuracy_error": 3.0,
            "estimate": 53.0,
            "estimate_error": 3.0,
        }
    )
    assert one == {"epsilon": 0.1, "count": 1} | dict.fromkeys(
        ("accuracy", "estimate"), 80.0
    ) | dict.fromkeys(("accuracy_error", "estimate_error"))


def test_a_line_of_accuracies_over_falling_epsilon_is_found() -> None:
    epsilons = [1.0, 0.9, 0.5, 0.2, 0.1]
    trend = epsilon.epsilon_figures({"": [run(epsilons, [60 + 20 * (1 - e) for e in epsilons])]})[""]["trend"]
    expected = {"slope": 20.0, "slope_low": 20.0, "slope_high": 20.0, "intercept": 60.0, "spearman": 1.0}
    assert {name: trend[name] for name in expected} == pytest.approx(expected)
    assert trend["p_value"] < 0.001


def test_the_interval_of_the_slope_is_that_of_least_squares() -> None:
    """By hand: x = 0, 0.5, 1 and y = 60, 75, 70: slope 10, residuals -3.33, 6.67, -3.33, t(0.975, 1) = 12.706."""
    trend = epsilon.epsilon_figures({"": [run([1.0, 0.5, 0.0], [60.0, 75.0, 70.0])]})[""]["trend"]
    half = 12.7062 * np.sqrt(200 / 3 / 1 / 0.5)
    assert [trend["slope"], trend["slope_low"], trend["slope_high"]] == pytest.approx(
        [10.0, 10.0 - half, 10.0 + half], rel=1e-4
    )
    assert trend["spearman"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("epsilons", "accuracies"),
    [([], []), ([1.0, 0.1], [50.0, 60.0]), ([1.0] * 4, [1.0, 2.0, 3.0, 4.0]), ([1.0, 0.5, 0.1], [10.0] * 3)],
    ids=["nobody", "two", "one epsilon", "all equal"],
)
def test_where_there_is_no_line_nothing_is_said(
    epsilons: list[float], accuracies: list[float], tmp_path: Path
) -> None:
    found = epsilon.epsilon_figures({"a": [run(epsilons, accuracies)]})
    assert set(found["a"]["trend"].values()) == {None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert epsilon.draw_epsilon(found, tmp_path / "agent.png").read_bytes().startswith(b"\x89PNG")


def test_the_figure_is_drawn_from_what_the_results_file_holds(tmp_path: Path) -> None:
    found = epsilon.epsilon_figures(
        {"none": [epsilon.run_of(record(FEW))], "peng4nn": [epsilon.run_of(record(FEW, counts="exact"))]}
    )
    stored = json.loads(json.dumps(found, allow_nan=False))
    assert stored == found
    assert epsilon.draw_epsilon(stored, tmp_path / "agent.png").stat().st_size > 10_000
