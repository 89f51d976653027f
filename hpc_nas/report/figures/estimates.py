"""Figure: estimates against the truth where it is known (PEng4NN, Fig. 7), else estimates with their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hpc_nas.report.figures.style import (
    BLUE,
    COLOURS,
    FAINT,
    INK,
    ORANGE,
    WINE,
    draw_points,
    legend_below,
    new_axes,
    note,
)
from hpc_nas.report.measure import measure_of
from hpc_nas.report.metrics import best_of, gap, kendall_tau, overlap
from hpc_nas.report.rows import first_stops, ranking, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

BEST_PERCENT = 20.0
MIN_FOR_METRICS = 5


def draw_estimates(record: CampaignRecord, summary: Summary) -> Figure:
    """Mode `observe`: estimate at the would-be stop over the accuracy reached. Else: candidates by estimate."""
    rows = ranking(record)
    if not len(rows):
        figure, axes = new_axes()
        axes.set(
            xlabel="candidates by estimate",
            ylabel=f"{measure_of(record).name} (%)",
            title=f"Estimates: {record.name}",
        )
        note(axes, "no candidate has an estimate yet")
        return figure
    if record.configuration["estimator"]["mode"] == "observe":
        return _against_truth(record)
    return _ranked(record)


def _against_truth(record: CampaignRecord) -> Figure:
    figure, axes = new_axes(height_inches=5.0)
    rows = ranking(record)
    rows = rows[np.isfinite(rows["best_accuracy"])]
    stops = first_stops(record)
    truth = rows["best_accuracy"].astype(float)
    estimates = np.array(
        [
            float(stops[n]["estimate"]) if (n := int(row["number"])) in stops else row["estimate"]
            for row in rows
        ]
    )
    known = np.isfinite(estimates)
    truth, estimates = truth[known], estimates[known]
    axes.set(
        xlabel=f"best {measure_of(record).name} reached at the full budget (%)",
        ylabel="estimate where it would have stopped (%)",
        title=f"Estimate and truth: {record.name}",
    )
    if not len(truth):
        note(axes, "no candidate has both an estimate and a truth yet")
        return figure
    axes.axline((0.0, 0.0), slope=1.0, color=FAINT, linewidth=1.0, linestyle=":")
    handles = _scatter_sets(axes, estimates, truth)
    low = max(0.0, float(min(truth.min(), estimates.min())) - 3.0)
    high = float(max(truth.max(), estimates.max())) + 3.0
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    if len(truth) >= MIN_FOR_METRICS:
        axes.set_title(axes.get_title(loc="left") + "\n" + _metrics(estimates, truth), fontsize=10.0)
    legend_below(figure, handles)
    return figure


def _metrics(estimates: NDArray[np.float64], truth: NDArray[np.float64]) -> str:
    shared = overlap(estimates, truth, percent=BEST_PERCENT)
    lost = gap(estimates, truth, percent=BEST_PERCENT)
    tau = kendall_tau(estimates, truth)
    return f"best {BEST_PERCENT:g} %: overlap {shared:.2f}, gap {lost:.2f} points; tau {tau:.2f}"


def _scatter_sets(axes: Axes, estimates: NDArray[np.float64], truth: NDArray[np.float64]) -> list[Line2D]:
    """The four sets of PEng4NN's Fig. 7, in its shapes: both, estimate only, truth only, the rest."""
    by_estimate, by_truth = (
        np.isin(np.arange(len(v)), best_of(v, percent=BEST_PERCENT)) for v in (estimates, truth)
    )
    sets = (
        ("others", ~by_estimate & ~by_truth, "o", FAINT),
        (f"best {BEST_PERCENT:g} % by truth only", by_truth & ~by_estimate, "s", ORANGE),
        ("by estimate only", by_estimate & ~by_truth, "o", BLUE),
        ("by both", by_estimate & by_truth, "^", WINE),
    )
    handles = []
    for label, members, marker, colour in sets:
        if not members.any():
            continue
        handle = draw_points(
            axes,
            truth[members],
            estimates[members],
            label=f"{label} ({members.sum()})",
            marker=marker,
            colour=colour,
            face="none" if colour == FAINT else colour,
            size=6.0,
        )
        handles.append(handle)
    return handles


def _ranked(record: CampaignRecord) -> Figure:
    figure, axes = new_axes()
    rows = ranking(record)
    places = np.arange(1, len(rows) + 1)
    state = np.array(texts(rows["state"]))
    spread = np.nan_to_num(rows["spread"].astype(float))
    size = float(np.clip(200.0 / len(rows), 2.5, 6.0))
    handles = []
    for name in (State.FINISHED, State.STOPPED):
        mine = state == name
        if not mine.any():
            continue
        words = "measured" if name == State.FINISHED else "estimated, ± spread"
        axes.errorbar(
            places[mine],
            rows["estimate"][mine],
            yerr=spread[mine],
            fmt="o" if name == State.FINISHED else "D",
            color=COLOURS[name],
            markersize=size,
            elinewidth=1.0,
            alpha=0.8,
            capsize=0.0 if len(rows) > 60 else 2.5,
        )
        marker = "o" if name == State.FINISHED else "D"
        label = f"{name}: {words} ({mine.sum()})"
        handles.append(Line2D([], [], color=COLOURS[name], marker=marker, linestyle="none", label=label))
    seen = rows["best_accuracy"]
    handles.append(
        draw_points(
            axes,
            places,
            seen,
            label=f"best {measure_of(record).name} seen",
            marker="_",
            colour=INK,
            face=INK,
            size=size + 3.0,
        )
    )
    axes.set(
        xlabel="candidates by estimate, best first",
        ylabel=f"{measure_of(record).name} at the full budget (%)",
        title=f"Estimates: {record.name}",
    )
    axes.set_xlim(0.0, len(rows) + 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    values = np.concatenate((rows["estimate"], seen[np.isfinite(seen)]))
    margin = 2.0 + 0.05 * float(np.ptp(values))
    axes.set_ylim(
        float(values.min()) - margin, float(values.max()) + margin
    )  # a spread may leave the picture
    legend_below(figure, handles)
    return figure
