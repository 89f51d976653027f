"""Figure: every learning curve, coloured by outcome, with the points where training was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpc_nas.records.layout import Rows
from hpc_nas.report.figures.style import COLOURS, INK, draw_points, legend_below, new_axes, note
from hpc_nas.report.measure import measure_of
from hpc_nas.report.rows import curves, first_stops, state_of, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import Reason, State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

ORDER = (State.FINISHED, State.STOPPED, State.FAILED, State.CANCELLED, State.RUNNING, State.QUEUED)
MARKERS = {
    Reason.CONVERGED: "o",
    Reason.NEVER_LEARN: "v",
    Reason.UNLIKELY_BEST: "s",
    Reason.RUNG: "D",
    Reason.BUDGET: "^",
}


def draw_learning_curves(record: CampaignRecord, summary: Summary) -> Figure:
    """Validation accuracy over epochs, one line per candidate (its attempt that counts).

    A marker shows where a rule decided to stop, its shape the reason. In mode `observe`, training went on.
    """
    figure, axes = new_axes(height_inches=4.2)
    axes.set(
        xlabel="epoch",
        ylabel=f"validation {measure_of(record).name} (%)",
        title=f"Learning curves: {record.name}",
    )
    by_number = curves(record)
    if not by_number:
        note(axes, "no observation yet")
        return figure
    handles = _draw_lines(axes, by_number, state_of(record))
    handles += _mark_stops(axes, record, by_number)
    axes.set_xlim(0.0, float(record.configuration["training"]["max_epochs"]) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.margins(y=0.04)
    legend_below(figure, handles)
    return figure


def _draw_lines(axes: Axes, by_number: dict[int, Rows], state_by_number: dict[int, str]) -> list[Artist]:
    alpha = float(np.clip(25.0 / len(by_number), 0.12, 0.75))
    handles: list[Artist] = []
    for state in ORDER:
        drawn = [rows for number, rows in by_number.items() if state_by_number[number] == state]
        if not drawn:
            continue
        colour = COLOURS.get(state, INK)
        lines = [np.column_stack((rows["epoch"], rows["val_accuracy"])) for rows in drawn]
        axes.add_collection(LineCollection(lines, colors=colour, alpha=alpha, linewidths=1.1))
        if state == State.FAILED:
            ends = np.array([line[-1] for line in lines])
            axes.plot(ends[:, 0], ends[:, 1], "x", color=colour, markersize=6, zorder=3)
        marker = "x" if state == State.FAILED else None
        label = f"{state} ({len(drawn)})"
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=1.8, label=label))
    axes.autoscale_view()
    return handles


def _mark_stops(axes: Axes, record: CampaignRecord, by_number: dict[int, Rows]) -> list[Artist]:
    points: dict[str, list[tuple[float, float]]] = {}
    for number, stop in first_stops(record).items():
        if number not in by_number:
            continue
        rows = by_number[number]
        at = int(np.argmin(np.abs(rows["epoch"] - stop["epoch"])))
        reason = texts((stop["reason"],))[0]
        points.setdefault(reason, []).append((float(rows["epoch"][at]), float(rows["val_accuracy"][at])))
    size = float(np.clip(5.0 * (60.0 / len(by_number)) ** 0.5, 2.5, 5.0))
    handles: list[Artist] = []
    for reason, places in sorted(points.items()):
        xy = np.array(places)
        handle = draw_points(
            axes,
            xy[:, 0],
            xy[:, 1],
            label=f"stop: {reason} ({len(places)})",
            marker=MARKERS.get(Reason(reason), "o"),
            colour=INK,
            face="white",
            size=size,
        )
        handles.append(handle)
    return handles
