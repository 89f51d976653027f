"""Pareto plots: epochs saved against overlap and regret, mean over a group of sets, with the i-Epoch front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from benchmarks.estimator_bench.contenders import I_EPOCH, Contender
from benchmarks.estimator_bench.groups import GROUPS, group_mean, mean_front, mean_overlap, sets_of, shown
from benchmarks.estimator_bench.labels import Label, write_labels
from benchmarks.estimator_bench.values import EstimatorResults
from hpc_nas.replay.front import SHARES
from hpc_nas.report.figures.style import FAINT, INK, house_style, save

__all__ = ["draw_plots"]

PANELS = {
    "overlap": "overlap, mean of the best 10, 20, 30 %",
    "overlap_20": "overlap of the best 20 %",
    "regret": "regret (points)",
}
FAMILY_COLOURS = {
    "PEng4NN": "#0072B2",
    "menndl": "#777777",
    "i-epoch blend": "#999933",
    "patience": "#AA4499",
    "median": "#117733",
    "rungs": "#44AA99",
    "lce": "#CC6677",
    "baker": "#882255",
    "prob-top": "#332288",
    "adaptive": "#D55E00",
}
SIZE_INCHES = (9.0, 15.0)
FINEST_REGRET = 0.01
REGRET_TICKS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LABEL_SIZE = 8.0
USED = "epochs_used_percent"
LABELLED_SHARES = (0.10, 0.30, 0.50)
_NOUNS = {**GROUPS, "all": "sets"}


def draw_plots(results: EstimatorResults, directory: Path) -> list[Path]:
    """One PNG for each group that has sets; returns their paths."""
    paths = []
    with house_style():
        for group in GROUPS:
            names = sets_of(results, group)
            if names:
                paths.append(save(_figure(results, group), directory / f"pareto_{group}.png"))
    return paths


def _figure(results: EstimatorResults, group: str) -> Figure:
    front = [_point(figures) for figures in mean_front(results, group)]
    points: dict[str, dict[str, float]] = {}
    rules = []
    for rule in shown(results):
        mean = group_mean(results, group, rule.name)
        if rule.family != I_EPOCH and mean.num_sets and mean.whole:
            rules.append(rule)
            points[rule.name] = _point(mean.figures)
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = dict(zip(PANELS, figure.subplots(len(PANELS), 1), strict=True))
    for name, axes in panels.items():
        _draw(axes, front, rules, points, name=name)
        _limits(axes, [*front, *points.values()], name=name)
    title = (
        f"Mean over {len(sets_of(results, group))} {_NOUNS[group]}; grey: i-Epoch at 5 to 75 % of the budget"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.0)
    canvas.draw()  # type: ignore[no-untyped-call]  # lays it out
    figure.set_layout_engine("none")
    for name, axes in panels.items():
        _label(axes, front, rules, points, name=name)
    return figure


def _point(figures: Mapping[str, float]) -> dict[str, float]:
    return {
        "saved": 100.0 - figures[USED],
        "overlap": mean_overlap(figures),
        "overlap_20": figures["overlap_20"],
        "regret": figures["regret"],
    }


def _draw(
    axes: Axes,
    front: Sequence[Mapping[str, float]],
    rules: Sequence[Contender],
    points: Mapping[str, Mapping[str, float]],
    *,
    name: str,
) -> None:
    axes.grid(visible=True)
    axes.plot(
        [item["saved"] for item in front],
        [item[name] for item in front],
        color=FAINT,
        linewidth=1.4,
        marker=".",
        markersize=5.0,
        zorder=2,
    )
    for rule in rules:
        axes.plot(
            points[rule.name]["saved"],
            points[rule.name][name],
            marker="D" if rule.family == "adaptive" else "o",
            color=_colour(rule),
            markeredgecolor="white",
            markeredgewidth=0.8,
            markersize=9.0 if rule.family == "adaptive" else 7.0,
            linestyle="none",
            zorder=4,
            clip_on=False,
        )
    axes.set(xlabel="epochs saved (% of the full budget)", ylabel=PANELS[name])


def _limits(axes: Axes, points: Sequence[Mapping[str, float]], *, name: str) -> None:
    axes.set_xlim(0.0, 100.0)
    values = [item[name] for item in points if math.isfinite(item[name])]
    if name == "regret":
        axes.set_yscale("symlog", linthresh=FINEST_REGRET, linscale=0.5)
        top = 1.6 * max(*values, 0.1)
        axes.set_ylim(0.0, top)
        axes.yaxis.set_major_locator(FixedLocator([tick for tick in REGRET_TICKS if tick <= top]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    else:
        axes.set_ylim(max(0.0, np.floor(20.0 * min(values) - 0.4) / 20.0), 1.02)


def _label(
    axes: Axes,
    front: Sequence[Mapping[str, float]],
    rules: Sequence[Contender],
    points: Mapping[str, Mapping[str, float]],
    *,
    name: str,
) -> None:
    labels = [
        Label(
            text=rule.name.removeprefix("i-epoch "),
            x=points[rule.name]["saved"],
            y=points[rule.name][name],
            colour=_colour(rule),
        )
        for rule in rules
    ]
    labels += [
        Label(text=f"{share:.0%}".replace("%", " %"), x=item["saved"], y=item[name], colour=FAINT)
        for share, item in zip(SHARES, front, strict=True)
        if share in LABELLED_SHARES
    ]
    write_labels(axes, labels, line=[(item["saved"], item[name]) for item in front], size=LABEL_SIZE)


def _colour(rule: Contender) -> str:
    return FAMILY_COLOURS.get(rule.family, INK)
