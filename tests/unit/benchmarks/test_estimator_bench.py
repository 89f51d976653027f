"""The estimator's benchmark: what is measured again, how means and areas come about, and that a report is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.estimator_bench import (
    aims,
    contenders,
    groups,
    jobs,
    labels,
    measure,
    plots,
    quality,
    report,
    sets,
    values,
)
from estimator import presets
from hpc_nas.records.curve_set import CurveSet


def bench_set(*, offset: float = 0.0) -> Any:
    heights = np.linspace(30.0, 90.0, 16)[:, None] + offset
    curves = CurveSet(
        name="drawn",
        ids=tuple(map(str, range(16))),
        epochs=np.arange(1.0, 11.0),
        val_accuracy=heights * (1.0 - 0.5 ** np.arange(1.0, 11.0)),
        max_epochs=10.0,
    )
    return sets.BenchSet(curves=curves, group="cnn", num_left_out=0)


def measured(part: Any, *names: str) -> Any:
    chosen = [item for item in contenders.contenders() if item.name in names]
    results = values.EstimatorResults(sets={part.curves.name: info(part)})
    settings = jobs.Settings(num_orders=2)
    for job in jobs.replay_jobs(part, chosen, results=results, settings=settings, source="code"):
        results = job.finish(results, [task.work() for task in job.tasks], 1.0)
    return results


def info(part: Any) -> Any:
    return values.SetInfo(
        group=part.group,
        content=part.content,
        num_candidates=len(part.curves),
        num_left_out=0,
        num_observations=10,
        max_epochs=10.0,
        knows_train_loss=False,
        front=measure.front_of(part.curves),
    )


def labels_to_do(part: Any, results: Any, *, source: str = "code") -> list[str]:
    chosen = [item for item in contenders.contenders() if item.name in ("median", "i-epoch at 50 %")]
    found = jobs.replay_jobs(
        part, chosen, results=results, settings=jobs.Settings(num_orders=2), source=source
    )
    return [job.label for job in found]


def test_every_preset_but_none_is_replayed() -> None:
    texts = {item.text.partition(":")[0] for item in contenders.contenders()}
    assert texts == set(presets()) - {"none"}


def test_what_is_known_is_not_measured_again() -> None:
    part = bench_set()
    results = measured(part, "median", "i-epoch at 50 %")
    assert labels_to_do(part, results) == []


def test_other_curves_or_other_code_are_measured_again() -> None:
    part = bench_set()
    results = measured(part, "median", "i-epoch at 50 %")
    both = ["drawn: i-epoch at 50 %", "drawn: median"]
    assert labels_to_do(bench_set(offset=1.0), results) == both
    assert labels_to_do(part, results, source="changed") == both


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    results = measured(bench_set(), "median", "i-epoch at 50 %")
    results.save(tmp_path)
    assert repr(values.EstimatorResults.load(tmp_path)) == repr(results)


def test_the_report_says_what_is_missing(tmp_path: Path) -> None:
    results = measured(bench_set(), "median", "i-epoch at 50 %")
    path = report.write_report(results, tmp_path, figures=(), notice="")
    text = path.read_text(encoding="utf-8")
    assert "| `adaptive`, CNN sets: epochs used, % | ≤ 32 | - (0 of 1 sets) | not measured | - |" in text
    assert "| `i-epoch at 50 %` | 50.0 | 1 / 1 / 1 | 0 |" in text


def test_plots_are_drawn(tmp_path: Path) -> None:
    results = measured(bench_set(), "median", "i-epoch at 50 %")
    names = [path.name for path in plots.draw_plots(results, tmp_path)]
    assert names == ["pareto_cnn.png", "pareto_all.png"]


def test_a_mean_over_sets_knows_that_one_is_missing() -> None:
    part = bench_set()
    other = replace(part, curves=replace(part.curves, name="other"))
    one = measured(part, "median", "i-epoch at 50 %")
    two = measured(other, "median")
    both = one.changed(sets={**one.sets, **two.sets}, entries={**one.entries, **two.entries})
    mean = groups.group_mean(both, "cnn", "i-epoch at 50 %")
    assert (mean.num_sets, mean.num_wanted, mean.whole) == (1, 2, False)
    assert groups.group_mean(both, "cnn", "median").whole


def test_hypervolume_is_the_dominated_area() -> None:
    area = groups.hypervolume
    assert area([(25.0, 0.0)]) == pytest.approx(0.75)
    assert area([(25.0, 10.0)]) == 0.0
    assert area([(25.0, 0.1)]) == pytest.approx(0.75 * 2 / 3)
    assert area([(25.0, 0.1), (60.0, 0.0), (70.0, 0.5)]) == pytest.approx(0.75 * 2 / 3 + 0.4 / 3)


def test_intervals_far_from_nine_in_ten_are_rejected() -> None:
    coverage = groups.Coverage
    limit = aims.REJECTED_BELOW
    assert coverage(num_intervals=200, num_covered=178).probability > limit
    assert coverage(num_intervals=200, num_covered=160).probability < limit
    assert coverage(num_intervals=200, num_covered=198).probability < limit


def test_labels_of_crowded_points_do_not_overlap() -> None:
    points = np.array([(100.0 + 3.0 * number, 100.0) for number in range(12)])
    boxes = labels.place(
        points, [(60.0, 10.0)] * 12, line=np.zeros((0, 2)), frame=(0.0, 0.0, 400.0, 300.0), scale=1.0
    )
    for number, one in enumerate(boxes):
        assert one[0] >= 0.0
        assert one[2] <= 400.0
        for other in boxes[:number]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart


def test_forecasts_are_made_from_a_quarter_of_the_curve() -> None:
    curves = bench_set().curves
    assert quality.num_seen(curves) == 3
    forecasts = quality.ForecastTask(curves=curves, forecaster="best so far").work()
    assert [item.value for item in forecasts] == curves.val_accuracy[:, 2].tolist()
    found = quality.quality_of(forecasts, curves, key="", source="", cpu_s=0.0)
    assert found.mae == pytest.approx(np.mean(curves.truth - curves.val_accuracy[:, 2]))
