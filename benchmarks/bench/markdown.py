"""Pieces of Markdown: tables, and figures with their units and their spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.values import Spread
from hpc_nas.report.formatting import MISSING, latency, number


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines, with an empty one after it."""
    lines = [_row(header), _row(["---"] * len(header))]
    return [*lines, *(_row(row) for row in rows), ""]


def spread(value: Spread) -> str:
    """Median (p10 to p90; how many) of durations."""
    if not value.count:
        return MISSING
    return f"{latency(value.median)} ({latency(value.p10)} to {latency(value.p90)}; {value.count})"


def several(values: Iterable[float], *, digits: int) -> str:
    """The value of each repeat, in order."""
    return " / ".join(number(value, digits=digits) for value in values)


def verdict(value: float, *, below: float = math.inf, above: float = -math.inf) -> str:
    """Is the aim met?"""
    if math.isnan(value):
        return "not measured"
    return "met" if above < value < below else "**missed**"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
