"""Figure: estimates against what the networks cost, MACs and weights, with the Pareto front of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from hpc_nas.records.layout import Rows
from hpc_nas.report.figures.style import COLOURS, FAINT, INK, WIDTH_INCHES, draw_points, legend_below, note
from hpc_nas.report.pareto import Cost, FrontMember
from hpc_nas.report.rows import ranking, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

MARKERS = {State.FINISHED: "o", State.STOPPED: "D"}
MEANINGS = {State.FINISHED: "measured", State.STOPPED: "estimated, ± spread"}
LABELS = {Cost.MACS: "MACs of one sample", Cost.PARAMETERS: "weights"}
MAX_NUMBERED = 12


def draw_pareto(record: CampaignRecord, summary: Summary) -> Figure:
    """One panel for each cost: every candidate with an estimate, the front as steps, its members by number."""
    figure = Figure(figsize=(WIDTH_INCHES, 4.1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    rows = ranking(record)
    for axes, cost in zip(panels, Cost, strict=True):
        axes.set_xlabel(LABELS[cost])
        if len(rows):
            axes.grid(visible=True)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
            front = [member for member in summary.pareto if cost in member.fronts]
            _draw_candidates(axes, rows, front, cost=cost)
            _draw_front(axes, front, cost=cost, highest_cost=float(rows[cost].max()))
        else:
            note(axes, "no estimate yet")
    panels[0].set(ylabel="estimate (%)", title=f"Estimate against cost: {record.name}")
    if len(rows):
        low, high = float(rows["estimate"].min()), float(rows["estimate"].max())
        margin = 2.0 + 0.05 * (high - low)
        panels[0].set_ylim(low - margin, high + margin)  # a spread may leave the picture
        legend_below(figure, _handles(rows, summary.pareto))
    return figure


def _draw_candidates(axes: Axes, rows: Rows, front: Sequence[FrontMember], *, cost: Cost) -> None:
    costs = np.maximum(rows[cost].astype(float), 1.0)  # a network without a weight has its place on the axis
    on_front = np.isin(rows["number"], [member.candidate for member in front])
    state = np.array(texts(rows["state"]))
    for name, marker in MARKERS.items():
        for chosen, colour, face, size in (
            (~on_front, FAINT, "none", 4.0),
            (on_front, COLOURS[name], COLOURS[name], 6.0),
        ):
            mine = (state == name) & chosen
            x, y = costs[mine], rows["estimate"][mine]
            draw_points(axes, x, y, label="", marker=marker, colour=colour, face=face, size=size)


def _draw_front(axes: Axes, front: Sequence[FrontMember], *, cost: Cost, highest_cost: float) -> None:
    members = sorted(front, key=lambda member: member.estimate)
    x = np.array([max(float(getattr(member, cost)), 1.0) for member in members])
    y = np.array([member.estimate for member in members])
    to_the_right = np.append(x, max(highest_cost, 1.0)), np.append(y, y[-1])
    axes.step(*to_the_right, where="post", color=INK, linewidth=1.4, zorder=3)
    spread = np.nan_to_num([member.spread for member in members])
    axes.errorbar(x, y, yerr=spread, fmt="none", ecolor=INK, elinewidth=0.8, capsize=2.5, zorder=3)
    if len(members) > MAX_NUMBERED:
        return
    for member, place in zip(members, zip(x, y, strict=True), strict=True):
        number = str(member.candidate)
        axes.annotate(number, place, xytext=(-4, 5), textcoords="offset points", fontsize=8.0, ha="right")


def _handles(rows: Rows, members: Sequence[FrontMember]) -> list[Line2D]:
    handles = [Line2D([], [], color=INK, linewidth=1.4, label="Pareto front")]
    present = set(texts(rows["state"]))
    for name, marker in MARKERS.items():
        if name in present:
            colour, label = COLOURS[name], f"{name}: {MEANINGS[name]}"
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none", label=label))
    if len(members) < len(rows):
        hollow = Line2D(
            [], [], color=FAINT, marker="o", linestyle="none", markerfacecolor="none", label="beaten"
        )
        handles.append(hollow)
    return handles
