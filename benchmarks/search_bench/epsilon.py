"""Does the agent `metaqnn` draw better networks the less it draws at random? (Baker, Figure 5.)

Each group of campaigns, as with and without early stopping, gets the mean accuracy of its candidates at each epsilon,
and the trend over all of them. The trend's interval takes candidates as independent; neighbours of one campaign, which
a greedy agent draws alike, are not quite, so it is rather too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from benchmarks.bench.values import Number, Value
from benchmarks.search_bench.plans import EPSILON
from benchmarks.search_bench.values import Measured, SearchResults
from hpc_nas.configuration import SearchSection
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.report.figures.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    WIDTH_INCHES,
    draw_points,
    house_style,
    legend_below,
    note,
    save,
)
from hpc_nas.report.rows import evaluated
from hpc_nas.search.epsilon import EpsilonSchedule
from hpc_nas.search.metaqnn import epsilon_schedule

__all__ = ["AgentRun", "agent_figures", "draw_epsilon", "epsilon_figures", "run_of", "schedule_of"]

CONFIDENCE = 0.95
SHIFT = 0.012  # of the markers of one epsilon, so that both can be seen
Array = NDArray[np.float64]


class AgentRun(Value):
    """The finished and stopped candidates of a campaign in the order in which they were drawn; percent."""

    epsilons: tuple[float, ...]
    accuracies: tuple[Number, ...]
    estimates: tuple[Number, ...]
    num_left_out: int


def schedule_of(configuration: Mapping[str, Any]) -> EpsilonSchedule:
    """The schedule of a recorded configuration. Raises ValueError for one of another strategy."""
    section = SearchSection.model_validate(configuration["search"])
    if section.name != "metaqnn":
        raise ValueError(f"[search] name = {section.name!r} has no epsilon; give campaigns of 'metaqnn'")
    options: dict[str, Any] = {
        name: section.options[name] for name in ("schedule", "counts") if name in section.options
    }
    return epsilon_schedule(num_candidates=configuration["campaign"]["num_candidates"], **options)


def run_of(record: CampaignRecord) -> AgentRun:
    """Of an archive. Raises ValueError for a campaign of another strategy."""
    schedule = schedule_of(record.configuration)
    rows = record.candidates[evaluated(record)]
    return AgentRun(
        epsilons=tuple(schedule.epsilon_of(number) for number in rows["number"].tolist()),
        accuracies=tuple(rows["best_accuracy"].tolist()),
        estimates=tuple(rows["estimate"].tolist()),
        num_left_out=len(record.candidates) - len(rows),
    )


def agent_figures(results: SearchResults) -> dict[str, Any]:
    """What `epsilon_figures` says of them; empty where none was measured."""
    groups: dict[str, list[AgentRun]] = {}
    for one in results.campaigns.values():
        if one.plan.part == EPSILON:
            groups.setdefault(f"preset {one.plan.preset}", []).append(_planned_run(one))
    return epsilon_figures(groups)


def _planned_run(one: Measured) -> AgentRun:
    num_candidates = int(one.plan.settings["campaign.num_candidates"])
    schedule = epsilon_schedule(num_candidates=num_candidates)
    return AgentRun(
        epsilons=tuple(schedule.epsilon_of(number) for number in one.numbers),
        accuracies=one.accuracies,
        estimates=one.estimates,
        num_left_out=num_candidates - len(one.numbers),
    )


def epsilon_figures(groups: Mapping[str, Sequence[AgentRun]]) -> dict[str, Any]:
    """For results.json: by group its steps (falling epsilon), trends and points; null is unknown.

    A mean's error is the standard error. A trend: `slope` in points per epsilon that falls from 1 to 0, with its
    95 % interval, and Spearman's rank correlation of falling epsilon and accuracy (or estimate) with its p value.
    """
    return {name: _group(runs) for name, runs in groups.items()}


def _group(runs: Sequence[AgentRun]) -> dict[str, Any]:
    epsilons = _joined([run.epsilons for run in runs])
    accuracies, estimates = (
        _joined([run.accuracies for run in runs]),
        _joined([run.estimates for run in runs]),
    )
    return {
        "num_campaigns": len(runs),
        "num_left_out": sum(run.num_left_out for run in runs),
        "steps": [
            {
                "epsilon": epsilon,
                "count": int(np.sum(epsilons == epsilon)),
                **_mean("accuracy", accuracies[epsilons == epsilon]),
                **_mean("estimate", estimates[epsilons == epsilon]),
            }
            for epsilon in sorted(set(epsilons.tolist()), reverse=True)
        ],
        "trend": _trend(epsilons, accuracies),
        "trend_of_estimates": _trend(epsilons, estimates),
        "points": {
            "epsilons": epsilons.tolist(),
            "accuracies": [_known(value) for value in accuracies.tolist()],
        },
    }


def _joined(values: Sequence[Sequence[float]]) -> Array:
    return np.array([value for part in values for value in part], dtype=np.float64)


def _mean(name: str, values: Array) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    mean = float(np.mean(known)) if len(known) else math.nan
    error = float(np.std(known, ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan
    return {name: _known(mean), f"{name}_error": _known(error)}


def _trend(epsilons: Array, values: Array) -> dict[str, float | None]:
    """Least squares of the values over 1 - epsilon; null where there is no line to speak of."""
    fallen, values = 1.0 - epsilons[np.isfinite(values)], values[np.isfinite(values)]
    if len(values) < 3 or np.ptp(fallen) == 0.0 or np.ptp(values) == 0.0:
        return dict.fromkeys(("slope", "slope_low", "slope_high", "intercept", "spearman", "p_value"))
    line, rank = stats.linregress(fallen, values), stats.spearmanr(fallen, values)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 2) * line.stderr)
    return {
        "slope": float(line.slope),
        "slope_low": float(line.slope) - half,
        "slope_high": float(line.slope) + half,
        "intercept": float(line.intercept),
        "spearman": float(rank.statistic),
        "p_value": float(rank.pvalue),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def draw_epsilon(found: Mapping[str, Any], path: Path) -> Path:
    """What `epsilon_figures` found, a panel for each group; returns the path of the PNG file."""
    with house_style():
        figure = Figure(figsize=(WIDTH_INCHES, 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, max(len(found), 1), sharey=True, squeeze=False)[0]
        handles: list[Artist] = []
        for axes, (name, group) in zip(panels, found.items(), strict=False):
            handles = _panel(axes, group) or handles
            axes.set_title(name)
        panels[0].set_ylabel("validation accuracy, %")
        legend_below(figure, handles)
        return save(figure, path)


def _panel(axes: Axes, group: Mapping[str, Any]) -> list[Artist]:
    steps = [step for step in group["steps"] if step["accuracy"] is not None]
    if not steps:
        note(axes, "no candidate was evaluated")
        return []
    axes.grid(visible=True)
    points = group["points"]
    drawn = [
        draw_points(
            axes, points["epsilons"], [math.nan if value is None else value for value in points["accuracies"]],
            label="a candidate", marker=".", colour="#C4C4C4", face="#C4C4C4", size=4.0,
        )
    ]  # fmt: skip
    drawn[0].set_zorder(1)
    looks = (
        ("accuracy", "best accuracy", "o", BLUE, SHIFT),
        ("estimate", "estimate told", "s", ORANGE, -SHIFT),
    )
    means = [_means(axes, steps, name=name, look=look) for name, *look in looks]
    trend = group["trend"]
    lines: list[Artist] = []
    if trend["slope"] is not None:
        ends = np.array([steps[0]["epsilon"], steps[-1]["epsilon"]])
        along = trend["intercept"] + trend["slope"] * (1 - ends)
        lines += axes.plot(ends, along, color=INK, linewidth=1.2, zorder=2, label="trend of best accuracy")
    axes.set_xlabel(_said(trend), fontsize=8.5)
    axes.margins(y=0.1)
    axes.set_xlim(steps[0]["epsilon"] + 0.06, steps[-1]["epsilon"] - 0.06)
    for step in steps:
        axes.annotate(
            str(step["count"]), (step["epsilon"], 0.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", fontsize=7, color=FAINT,
        )  # fmt: skip
    return [*means, *lines, *drawn]


def _means(axes: Axes, steps: Sequence[Mapping[str, Any]], *, name: str, look: Sequence[Any]) -> Artist:
    label, marker, colour, shift = look
    known = [step for step in steps if step[name] is not None]
    return axes.errorbar(  # type: ignore[return-value]  # a container, which a legend takes too
        [step["epsilon"] + shift for step in known],
        [step[name] for step in known],
        yerr=[step[f"{name}_error"] or 0.0 for step in known],
        linestyle="none", marker=marker, markersize=5.0, color=colour, elinewidth=1.4, label=f"{label}, mean and s.e.",
        zorder=4,
    )  # fmt: skip


def _said(trend: Mapping[str, Any]) -> str:
    title = "epsilon (above it: number of candidates)"
    if trend["slope"] is None:
        return title
    low, high = trend["slope_low"], trend["slope_high"]
    return f"{title}\nslope {trend['slope']:+.1f} [{low:+.1f}, {high:+.1f}] points, rank {trend['spearman']:+.2f}"
