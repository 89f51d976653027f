"""Pieces of reports: publishing, tables, and figures with their units and their spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench.store import publish
from benchmarks.bench.values import Spread
from hpc_nas.report.formatting import MISSING, latency, number

REPORT_NAME = "report.md"


def publish_report(directory: Path, title: str, text: str, *, notice: str, body: Iterable[str]) -> Path:
    """Title, what the report is and a notice first; returns the path."""
    lines = [f"# {title}", "", text, "", *([f"**{notice}**", ""] if notice else []), *body]
    directory.mkdir(parents=True, exist_ok=True)
    publish(directory / REPORT_NAME, "\n".join(lines))
    return directory / REPORT_NAME


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines, with an empty one after it."""
    lines = [_row(header), _row(["---"] * len(header))]
    return [*lines, *(_row(row) for row in rows), ""]


def figures(paths: Iterable[Path]) -> list[str]:
    """The figures' lines; they lie beside the report."""
    return [line for path in paths for line in (f"![{path.stem.replace('_', ' ')}]({path.name})", "")]


def machine(environment: dict[str, Any], *, remark: str = "") -> list[str]:
    """Hardware, system and versions."""
    packages = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return [
        f"- {environment['cpu']}, {environment['cores']} cores, {environment['memory_gib']} GiB memory{remark}",
        f"- {environment['os']}, {environment['kernel']}",
        f"- {packages}",
        "",
    ]


def short_commit(commit: str) -> str:
    """Twelve digits, and the mark of changes on top."""
    return commit[:12] + ("+" if commit.endswith("+") else "")


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
