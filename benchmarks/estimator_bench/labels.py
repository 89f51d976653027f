"""Puts labels beside points so that they cover neither each other nor markers nor lines, and stay in the axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

__all__ = ["Label", "place", "write_labels"]

DISTANCES = (9.0, 14.0, 20.0, 28.0, 38.0, 50.0, 64.0, 80.0, 100.0, 125.0)
"""Between point and label, in points of type."""

NUM_ANGLES = 24
MARGIN = 2.0
CLEARANCE = 5.0
"""Between label and a marker or line, in points of type."""

LEADER_FROM = 12.0
"""A gap between point and label from which on a line ties them together, in points of type."""

STEP = 5.0
"""Lines count as points so far apart, in points of type."""

OVERLAP_COST, MARKER_COST, LINE_COST = 1000.0, 60.0, 15.0
"""In points of type: how much farther off a label is put rather than to cover such a thing."""

Floats = NDArray[np.float64]
Pair = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A text for a point, in the data's coordinates."""

    text: str
    x: float
    y: float
    colour: str


def write_labels(axes: Axes, labels: Sequence[Label], *, line: Sequence[Pair], size: float) -> None:
    """Write them, once layout, limits and scales are final. `line` is drawn there too, in the data's coordinates."""
    scale = axes.figure.dpi / 72.0
    points = axes.transData.transform([(item.x, item.y) for item in labels])
    sizes = [_size(axes, item.text, size=size) for item in labels]
    frame = axes.get_window_extent()
    boxes = place(
        points,
        sizes,
        line=_dense(axes.transData.transform(line), step=STEP * scale),
        frame=(frame.x0, frame.y0, frame.x1, frame.y1),
        scale=scale,
    )
    back = axes.transData.inverted()
    for item, point, box in zip(labels, points, boxes, strict=True):
        x, y = back.transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        axes.text(x, y, item.text, ha="center", va="center", fontsize=size, color=item.colour, zorder=6)
        end = _nearest(point, box)
        if math.dist(point, end) > LEADER_FROM * scale:
            (x0, y0), (x1, y1) = back.transform((tuple(point), end))
            axes.plot([x0, x1], [y0, y1], color=item.colour, linewidth=0.6, alpha=0.6, zorder=3)


def place(points: Floats, sizes: Sequence[Pair], *, line: Floats, frame: Box, scale: float) -> list[Box]:
    """The box of each label of that size (width, height), all in pixels.

    The most crowded point chooses first; each takes the nearest place that is free, or else the least bad.
    """
    crowd = [float(np.sum(np.hypot(*(points - point).T) < 40.0 * scale)) for point in points]
    placed: dict[int, Box] = {}
    for index in sorted(range(len(points)), key=lambda number: -crowd[number]):
        best, least = (0.0, 0.0, 0.0, 0.0), math.inf
        for distance in DISTANCES:
            if distance >= least:
                break
            for box in _around(points[index], sizes[index], distance=distance * scale):
                cost = distance + _cost(box, list(placed.values()), points, line, frame=frame, scale=scale)
                if cost < least:
                    best, least = box, cost
        placed[index] = best
    return [placed[index] for index in range(len(points))]


def _around(point: Floats, size: Pair, *, distance: float) -> list[Box]:
    boxes = []
    for turn in range(NUM_ANGLES):
        angle = 2.0 * math.pi * turn / NUM_ANGLES
        x = float(point[0]) + math.cos(angle) * (distance + size[0] / 2)
        y = float(point[1]) + math.sin(angle) * (distance + size[1] / 2)
        boxes.append((x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2))
    return boxes


def _cost(
    box: Box, placed: Sequence[Box], markers: Floats, line: Floats, *, frame: Box, scale: float
) -> float:
    cost = 0.0
    if box[0] < frame[0] or box[1] < frame[1] or box[2] > frame[2] or box[3] > frame[3]:
        cost += OVERLAP_COST
    cost += MARKER_COST * _num_within(markers, box, margin=CLEARANCE * scale)
    cost += LINE_COST * _num_within(line, box, margin=0.0)
    margin = MARGIN * scale
    for other in placed:
        beside = box[0] > other[2] + margin or box[2] < other[0] - margin
        if not (beside or box[1] > other[3] or box[3] < other[1]):
            cost += OVERLAP_COST
    return cost


def _num_within(points: Floats, box: Box, *, margin: float) -> int:
    x, y = points.T
    inside = (x > box[0] - margin) & (x < box[2] + margin) & (y > box[1] - margin) & (y < box[3] + margin)
    return int(inside.sum())


def _dense(line: Floats, *, step: float) -> Floats:
    """Points along a line, in pixels."""
    parts = [line]
    for start, end in itertools.pairwise(line):
        count = int(math.dist(start, end) / step)
        parts.append(start + np.linspace(0.0, 1.0, count + 2)[1:-1, None] * (end - start))
    return np.concatenate(parts)


def _size(axes: Axes, text: str, *, size: float) -> Pair:
    """Of the text, in pixels."""
    probe = axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=size)
    box = probe.get_window_extent()
    probe.remove()
    return float(box.width), float(box.height)


def _nearest(point: Floats, box: Box) -> Pair:
    """The place of the box that is nearest to the point."""
    return min(max(float(point[0]), box[0]), box[2]), min(max(float(point[1]), box[1]), box[3])
