"""What all figures share: size, fonts, colours, legend, time axis, and how they are saved.

The object-oriented interface of matplotlib with its Agg canvas: no display, no pyplot, no state left behind.
Colours are from the colour-blind safe palettes of Okabe and Ito and of Tol; no figure relies on colour alone
where two outcomes meet in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from hpc_nas.values import State

DPI = 150
WIDTH_INCHES = 6.5  # a page's text width
LETTERS_OF_A_LINE = 92  # that fit into it, as the legend sets them
LETTERS_OF_A_HANDLE = 6

INK = "#222222"
FAINT = "#8A8A8A"
BLUE = "#0072B2"
ORANGE = "#E69F00"
WINE = "#882255"
TEAL = "#44AA99"
IDLE = "#EBEBEB"

LOST = "lost"
"""An attempt that left no end: its rank or its group died, and the candidate ran again."""

COLOURS = {
    State.FINISHED: BLUE,
    State.STOPPED: ORANGE,
    State.FAILED: WINE,
    State.CANCELLED: "#AAAAAA",
    State.PAUSED: "#88CCEE",
    State.RUNNING: TEAL,
    LOST: "#DDCC77",
}

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "savefig.dpi": DPI,
}


def house_style() -> AbstractContextManager[None]:
    """The settings of all figures, for as long as they are drawn."""
    return mpl.rc_context(_STYLE)


def new_axes(*, height_inches: float = 3.9) -> tuple[Figure, Axes]:
    """A figure with one set of axes; labels and legends find their own room."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(visible=True)
    return figure, axes


def legend_below(figure: Figure, handles: Iterable[Artist]) -> None:
    """One legend under the axes, clear of the data."""
    entries = list(handles)
    if not entries:
        return
    widest = max(len(str(entry.get_label())) for entry in entries) + LETTERS_OF_A_HANDLE
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=max(1, min(len(entries), LETTERS_OF_A_LINE // widest)),
        columnspacing=1.4,
        handletextpad=0.6,
    )


def draw_points(
    axes: Axes, x: ArrayLike, y: ArrayLike, *, label: str, marker: str, colour: str, face: str, size: float
) -> Line2D:
    """Markers without a line, above lines; returns the handle for the legend."""
    (points,) = axes.plot(
        x,
        y,
        label=label,
        marker=marker,
        linestyle="none",
        color=colour,
        markerfacecolor=face,
        markersize=size,
        zorder=4,
    )
    return points


def note(axes: Axes, text: str) -> None:
    """Say in the empty axes why nothing is there."""
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)


def time_unit(span_s: float) -> tuple[float, str]:
    """Seconds per unit, and the unit's name, that suit an axis of this length."""
    if span_s < 300.0:
        return 1.0, "s"
    return (60.0, "min") if span_s < 3 * 3600.0 else (3600.0, "h")


def save(figure: Figure, path: Path) -> Path:
    """Write it as PNG; returns the path."""
    figure.savefig(path, format="png", dpi=DPI)
    return path
