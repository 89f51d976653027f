"""The report's figures: distributions of latencies beside their aims, and the comparison of campaigns."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.bench.values import LEVELS, Spread
from benchmarks.campaign_bench.parts import APPENDS, DIGITS, FASHION, LATENCIES
from benchmarks.campaign_bench.report_latency import (
    AIM_APPEND_S,
    AIM_HANDOVER_S,
    AIM_READ_S,
    AIM_STOP_S,
    shape_title,
)
from benchmarks.campaign_bench.values import Appends, CampaignResults, Latencies, Throughput
from hpc_nas.report.figures.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    TEAL,
    WIDTH_INCHES,
    house_style,
    legend_below,
    new_axes,
    save,
    time_unit,
)

_COLOURS = (BLUE, ORANGE, TEAL)
_MARKERS = ("o", "s", "^")
_MILLISECONDS = 1e3
_LEAST_MS = 0.01  # where the logarithmic axis begins


def draw_figures(results: CampaignResults, directory: Path) -> list[Path]:
    """Draw what there is; returns the paths of the PNG files."""
    paths = []
    with house_style():
        if latencies := results.result(LATENCIES, Latencies):
            cores = int(results.parts[LATENCIES].conditions.environment["cores"])
            appends = results.result(APPENDS, Appends)
            paths.append(_latencies(latencies, appends, cores=cores, path=directory / "latencies.png"))
        for name in (DIGITS, FASHION):
            if throughput := results.result(name, Throughput):
                paths.append(_throughput(throughput, path=directory / f"{name}.png"))
    return paths


def _latencies(latencies: Latencies, appends: Appends | None, *, cores: int, path: Path) -> Path:
    """One line of bars per figure: p10 to p90 and the median, logarithmic; the aim as a tick."""
    figure, axes = new_axes(height_inches=3.4)
    rows = [
        ("trainer left,\nbeyond the batch", AIM_STOP_S, "beyond_batch_s"),
        ("next candidate's\nfirst batch", AIM_HANDOVER_S, "handover_s"),
        ("row read by\nthe estimator", AIM_READ_S, "read_lag_s"),
    ]
    step = 0.24
    for row, (_, aim_s, name) in enumerate(rows):
        _aim(axes, row, aim_s)
        for index, shape in enumerate(latencies.shapes):
            _bar(axes, row + step * (index - 0.5), getattr(shape.pooled, name), index)
    titles = [title for title, _, _ in rows]
    if appends is not None:
        _aim(axes, len(rows), AIM_APPEND_S)
        _bar(axes, len(rows), appends.spaced[len(appends.spaced) // 2], len(latencies.shapes))
        titles.append("append + flush,\nalone")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(titles)), titles)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("milliseconds: median, p10 to p90 (thick), p1 to p99 (thin)")
    handles = [
        axes.plot([], [], color=colour, marker=marker, linewidth=3, label=label)[0]
        for colour, marker, label in zip(
            _COLOURS,
            _MARKERS,
            [shape_title(shape, cores=cores) for shape in latencies.shapes]
            + (["the writer alone"] if appends is not None else []),
            strict=False,
        )
    ]
    handles.append(axes.plot([], [], color=INK, marker="|", markersize=12, linestyle="none", label="aim")[0])
    legend_below(figure, handles)
    return save(figure, path)


def _aim(axes: Axes, row: int, aim_s: float) -> None:
    axes.plot([aim_s * _MILLISECONDS] * 2, [row - 0.36, row + 0.36], color=INK, linewidth=1.5, zorder=2)


def _bar(axes: Axes, y: float, value: Spread, index: int) -> None:
    at = {
        level: max(seconds * _MILLISECONDS, _LEAST_MS)
        for level, seconds in zip(LEVELS, value.percentiles, strict=True)
    }
    colour = _COLOURS[index]
    axes.plot([at[1], at[99]], [y, y], color=colour, linewidth=1.0)
    axes.plot([at[10], at[90]], [y, y], color=colour, linewidth=4.5, alpha=0.55, solid_capstyle="butt")
    axes.plot([at[50]], [y], color=colour, marker=_MARKERS[index], markeredgecolor="white", markersize=7)


def _throughput(result: Throughput, *, path: Path) -> Path:
    """Left: candidates done over time. Right: estimates of the stopping presets against the truth."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    done, agreement = figure.subplots(1, 2)
    runs = [(contender.preset, contender.runs[0]) for contender in result.contenders]
    runs.append(("observe (everything to the end)", result.truth))
    unit_s, unit = time_unit(max(run.left_s[-1] for _, run in runs))
    handles = []
    for index, (label, run) in enumerate(runs):
        times = [0.0, *(seconds / unit_s for seconds in run.left_s)]
        (line,) = done.step(
            times, range(len(times)), where="post", color=_COLOURS[index], label=label, linewidth=1.8
        )
        handles.append(line)
    done.grid(visible=True)
    done.set(xlabel=f"{unit} after the first batch", ylabel="candidates done", ylim=(0, None), xlim=(0, None))
    done.set_title(result.data)
    lowest = 100.0
    for index, contender in enumerate(result.contenders):
        quality = contender.quality
        lowest = min(lowest, *quality.accuracies, *quality.estimates)
        agreement.plot(
            quality.accuracies,
            quality.estimates,
            linestyle="none",
            marker=_MARKERS[index],
            markersize=4.5,
            markerfacecolor="none",
            color=_COLOURS[index],
        )
    agreement.plot([lowest, 100], [lowest, 100], color=FAINT, linewidth=1.0, zorder=1)
    agreement.grid(visible=True)
    agreement.set(xlabel="best accuracy at the full budget, %", ylabel="estimate when stopped, %")
    agreement.set_title("estimates")
    legend_below(figure, handles)
    return save(figure, path)
