"""Figure: the best estimate so far over time, with every candidate's estimate when it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpc_nas.report.figures.style import COLOURS, INK, draw_points, legend_below, new_axes, note, time_unit
from hpc_nas.report.rows import end_times, ranking, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

MARKERS = {State.FINISHED: "o", State.STOPPED: "D"}


def draw_best_estimate(record: CampaignRecord, summary: Summary) -> Figure:
    """A step line of the highest estimate among the candidates ended by then, and a dot for each of them."""
    figure, axes = new_axes()
    axes.set(ylabel="estimate (%)", title=f"Best estimate so far: {record.name}")
    ends = end_times(record)
    rows = ranking(record)
    rows = rows[np.isin(rows["number"], list(ends))]
    if not len(rows):
        axes.set_xlabel("time since the start (s)")
        note(axes, "no candidate has an estimate yet")
        return figure
    times = np.array([ends[int(number)] for number in rows["number"]])
    order = np.argsort(times, kind="stable")
    rows, times = rows[order], times[order]
    origin = min(record.created_time, times[0]) if np.isfinite(record.created_time) else times[0]
    scale, unit = time_unit(float(times[-1] - origin))
    times = (times - origin) / scale
    best = np.maximum.accumulate(rows["estimate"])
    axes.step(times, best, where="post", color=INK, linewidth=1.8, zorder=2)
    handles: list[Artist] = [Line2D([], [], color=INK, linewidth=1.8, label=f"best so far: {best[-1]:.2f} %")]
    state = np.array(texts(rows["state"]))
    for name, marker in MARKERS.items():
        mine = state == name
        if mine.any():
            x, y, colour = times[mine], rows["estimate"][mine], COLOURS[name]
            label = f"{name} ({mine.sum()})"
            handles.append(
                draw_points(axes, x, y, label=label, marker=marker, colour=colour, face=colour, size=4.5)
            )
    axes.set_xlabel(f"time since the start ({unit})")
    axes.set_xlim(0.0, max(float(times[-1]) * 1.02, 1e-9))
    legend_below(figure, handles)
    return figure
