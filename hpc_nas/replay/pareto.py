"""Figure: what each rule saves against what it loses, beside the i-Epoch front that any rule must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator

from hpc_nas.errors import RecordError
from hpc_nas.replay.comparison import Comparison
from hpc_nas.replay.front import i_epoch_front
from hpc_nas.replay.score import menndl_epochs
from hpc_nas.report.figures.style import FAINT, WIDTH_INCHES, house_style, save

__all__ = ["draw_pareto"]

PANELS = {
    "overlap_10": "overlap of the best 10 %",
    "overlap_20": "overlap of the best 20 %",
    "overlap_30": "overlap of the best 30 %",
    "regret": "regret (points)",
}
COLOURS = ("#0072B2", "#E69F00", "#882255", "#44AA99", "#332288", "#CC6677", "#117733", "#999933", "#AA4499")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p", "h")
FINEST_REGRET = 0.01
"""Points; below it the axis is linear, so that a regret of 0 has its place."""
REGRET_TICKS = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)


def draw_pareto(comparison: Comparison, path: Path) -> Path:
    """Draw the mean over all sets into a PNG file; returns its path. Raises RecordError if it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with house_style():
            return save(_figure(comparison), path)
    except OSError as error:
        raise RecordError(
            f"{path}: the plot can't be written ({error}); choose another --plot FILE"
        ) from error


def _figure(comparison: Comparison) -> Figure:
    front = _mean_front(comparison)
    points = {rule.text: comparison.mean_figures(rule.text) for rule in comparison.rules}
    figure = Figure(figsize=(WIDTH_INCHES, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    overlaps = [item[name] for item in (*front, *points.values()) for name in PANELS if name != "regret"]
    lowest = max(0.0, np.floor(10.0 * min(overlaps) - 0.2) / 10.0)
    handles: list[Line2D] = []
    for axes, (name, label) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        handles = _panel(axes, front, points, name=name)
        axes.set(xlabel="epochs saved (% of the full budget)", ylabel=label)
        if name == "regret":
            _scale_regret(axes, highest=max(item[name] for item in (*front, *points.values())))
        else:
            axes.set(xlim=(0.0, 100.0), ylim=(lowest, 1.0))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1f}"))
            axes.yaxis.set_major_locator(MultipleLocator(0.1))
    figure.suptitle(_title(comparison), x=0.01, ha="left", fontsize=11.0)
    figure.legend(handles=handles, loc="outside lower center", ncols=_columns(handles))
    return figure


def _panel(
    axes: Axes, front: Sequence[Mapping[str, float]], points: Mapping[str, Mapping[str, float]], *, name: str
) -> list[Line2D]:
    """The front as a line, the rules as markers with their deviation over orders; returns the legend's handles."""
    axes.grid(visible=True)
    handles = axes.plot(
        [item["epochs_saved_percent"] for item in front],
        [item[name] for item in front],
        color=FAINT,
        linewidth=1.4,
        marker=".",
        markersize=4.0,
        zorder=2,
        label="i-Epoch at 5 to 75 %",
    )
    for number, (rule, figures) in enumerate(points.items()):
        handles += axes.plot(
            figures["epochs_saved_percent"],
            figures[name],
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            markeredgecolor="white",
            markeredgewidth=0.8,
            markersize=9.0,
            linestyle="none",
            zorder=4,
            label=rule,
            clip_on=False,
        )
    return handles


def _scale_regret(axes: Axes, *, highest: float) -> None:
    """Logarithmic, down to a linear foot where 0 has its place."""
    axes.set_xlim(0.0, 100.0)
    axes.set_yscale("symlog", linthresh=FINEST_REGRET, linscale=0.4)
    top = 1.6 * max(highest, 0.1)
    axes.set_ylim(0.0, top)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in REGRET_TICKS if tick <= top]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()


def _mean_front(comparison: Comparison) -> list[dict[str, float]]:
    """The i-Epoch front, each share of the budget averaged over the sets."""
    fronts = [i_epoch_front(curves, menndl_epochs=menndl_epochs(curves)) for curves in comparison.sets]
    names = ("epochs_saved_percent", *PANELS)
    return [
        {name: float(np.mean([getattr(item, name) for item in scores])) for name in names}
        for scores in zip(*fronts, strict=True)
    ]


def _title(comparison: Comparison) -> str:
    names = [part.name for part in comparison.sets]
    return names[0] if len(names) == 1 else f"mean over {len(names)} sets: {', '.join(names)}"


def _columns(handles: Sequence[Line2D]) -> int:
    widest = max(len(str(handle.get_label())) for handle in handles)
    return max(1, min(4, 84 // (widest + 6)))
