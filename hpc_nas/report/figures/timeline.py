"""Figure: what every trainer did when (Gantt), and when it trained nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hpc_nas.records.layout import Rows
from hpc_nas.report.figures.style import (
    COLOURS,
    FAINT,
    IDLE,
    INK,
    LOST,
    legend_below,
    new_axes,
    note,
    time_unit,
)
from hpc_nas.report.rows import state_of, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

HALF = 0.36  # height of a bar, where rows are 1 apart
MAX_LABELS = 40
MAX_SPANS_WITH_EDGES = 1000
ORDER = (State.FINISHED, State.STOPPED, State.FAILED, State.CANCELLED, State.PAUSED, State.RUNNING, LOST)

Spans = dict[tuple[int, int], list[tuple[float, float, str]]]
"""By trainer (group, rank): first batch, end (seconds since the Unix epoch), and outcome of the attempt."""


def draw_timeline(record: CampaignRecord, summary: Summary) -> Figure:
    """One row per trainer (`group.rank`), one span per attempt from its first batch to its end."""
    spans = training_spans(record)
    figure, axes = new_axes(height_inches=float(np.clip(1.7 + 0.28 * len(spans), 2.4, 9.0)))
    axes.set(ylabel="trainer (group.rank)", title=f"Trainers over time: {record.name}")
    if not spans:
        axes.set_xlabel("time since the start (s)")
        note(axes, "nothing has been trained yet")
        return figure
    first = min(start for rows in spans.values() for start, _, _ in rows)
    last = max(end for rows in spans.values() for _, end, _ in rows)
    origin = min(record.created_time, first) if np.isfinite(record.created_time) else first
    scale, unit = time_unit(last - origin)
    length = (last - origin) / scale
    _draw_spans(axes, spans, origin=origin, scale=scale, length=length)
    axes.set_xlabel(f"time since the start ({unit})")
    axes.set_xlim(0.0, length)
    trained = sum(end - start for rows in spans.values() for start, end, _ in rows)
    shown = 100.0 * trained / (len(spans) * (last - origin)) if last > origin else float("nan")
    axes.set_title(axes.get_title(loc="left") + _busy(shown, steady=summary.trainer_busy_percent))
    seen = {outcome for rows in spans.values() for _, _, outcome in rows}
    patches = [Patch(color=COLOURS[name], label=str(name)) for name in ORDER if name in seen]
    legend_below(figure, [*patches, Patch(color=IDLE, label="idle")])
    return figure


def _busy(shown: float, *, steady: float) -> str:
    """The trainers' share of the time that the picture shows, and of each one's from its first batch to its last."""
    if np.isnan(shown):
        return ""
    return f", busy {shown:.1f} %" + ("" if np.isnan(steady) else f", {steady:.1f} % from the first batch on")


def training_spans(record: CampaignRecord) -> Spans:
    """When each trainer trained what.

    An attempt that has no end (still running, or its rank died) spans its observations; it is `lost` unless its
    candidate is running.
    """
    spans: Spans = {}
    ended = set()
    for row, state in zip(record.attempts, texts(record.attempts["state"]), strict=True):
        ended.add((int(row["group"]), int(row["candidate"]), int(row["attempt"])))
        if np.isfinite(row["first_batch_time"]):
            _add(spans, row, (float(row["first_batch_time"]), float(row["left_time"]), state))
    state_by_number = state_of(record)
    for key, rows in _open_attempts(
        record.observations[record.observations["carried"] == 0], ended=ended
    ).items():
        first, last = rows[0], rows[-1]
        start = float(first["time_s"] - np.nan_to_num(first["train_s"]) - np.nan_to_num(first["validate_s"]))
        running = state_by_number.get(key[1]) == State.RUNNING
        _add(spans, first, (start, float(last["time_s"]), State.RUNNING if running else LOST))
    return dict(sorted(spans.items()))


def _open_attempts(
    observations: Rows, *, ended: set[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Rows]:
    ordered = observations[np.argsort(observations["time_s"], kind="stable")]
    keys = np.stack((ordered["group"], ordered["candidate"], ordered["attempt"]), axis=1)
    unique, which = np.unique(keys, axis=0, return_inverse=True)
    found = {}
    for index, (group, candidate, attempt) in enumerate(unique.tolist()):
        if (group, candidate, attempt) not in ended:
            found[group, candidate, attempt] = ordered[which.ravel() == index]
    return found


def _add(spans: Spans, row: np.void, span: tuple[float, float, str]) -> None:
    spans.setdefault((int(row["group"]), int(row["rank"])), []).append(span)


def _draw_spans(axes: Axes, spans: Spans, *, origin: float, scale: float, length: float) -> None:
    edges = sum(len(rows) for rows in spans.values()) <= MAX_SPANS_WITH_EDGES
    for place, rows in enumerate(spans.values()):
        axes.broken_barh([(0.0, length)], (place - HALF, 2 * HALF), facecolors=IDLE, linewidth=0.0)
        axes.broken_barh(
            [((start - origin) / scale, (end - start) / scale) for start, end, _ in rows],
            (place - HALF, 2 * HALF),
            facecolors=[COLOURS.get(outcome, FAINT) for _, _, outcome in rows],
            edgecolor=INK if edges else "none",
            linewidth=0.4 if edges else 0.0,
        )
    step = -(-len(spans) // MAX_LABELS)
    labels = [f"{group}.{rank}" for group, rank in spans]
    axes.set_yticks(range(0, len(spans), step), labels[::step])
    axes.set_ylim(len(spans) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
