"""A comparison for people and for programs: tables, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpc_nas.replay.comparison import Comparison, Entry
from hpc_nas.replay.values import Replayed
from hpc_nas.report.formatting import MISSING, number
from hpc_nas.report.ruled_table import ruled_table

__all__ = ["comparison_json", "comparison_tables", "preset_table"]

_SHARES = (10, 20, 30)
VS_MENNDL = "MENNDL"


def comparison_json(comparison: Comparison, *, per_candidate: bool) -> str:
    """`{"sets": {SET: {RULE: {figure: value}}}}`, NaN as null; `candidates` are those of the first order."""
    sets = {
        name: {rule: _entry(entry, per_candidate=per_candidate) for rule, entry in rules.items()}
        for name, rules in comparison.entries.items()
    }
    return json.dumps({"sets": sets}, indent=2, allow_nan=False)


def comparison_tables(comparison: Comparison) -> RenderableType:
    """One table per set, and one of the means if there are several."""
    parts: list[RenderableType] = []
    for curves in comparison.sets:
        title = f"{curves.name}: {len(curves)} candidates, {curves.max_epochs:g} epochs each"
        parts += [
            _table(title, {rule: entry.figures for rule, entry in comparison.entries[curves.name].items()}),
            "",
        ]
    if len(comparison.sets) > 1:
        means = {rule.text: comparison.mean_figures(rule.text) for rule in comparison.rules}
        parts += [_table(f"mean over {len(comparison.sets)} sets", means), ""]
    parts.append(Text(_LEGEND, style="dim"))
    return Group(*parts)


def preset_table(presets: Mapping[str, str]) -> RenderableType:
    """Every preset with one line that says what it is."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in presets.items():
        table.add_row(Text(name), Text(text.partition("\n")[0]))
    return table


_LEGEND = (
    "used: trained share of the full budget, %; MENNDL: the same against what MENNDL's rule trains. overlap: share "
    "of the truly best 10/20/30 % that is found. gap: what their mean accuracy loses, points. tau: rank "
    "correlation. regret: what the winner loses. MAE: error of the estimates of stopped candidates; 90 %: how many "
    "of their 90 % intervals hold the truth. lost: how many of the truly best 10 % were stopped."
)


def _table(title: str, figures: Mapping[str, Mapping[str, float]]) -> Table:
    table = ruled_table(title)
    table.add_column("rule", overflow="fold")
    saves = any(math.isfinite(values["epochs_saved_vs_menndl_percent"]) for values in figures.values())
    columns = ("used", VS_MENNDL, "overlap", "gap", "tau", "regret", "MAE", "90 %", "lost")
    for column in columns:
        if saves or column != VS_MENNDL:
            table.add_column(column, justify="right", no_wrap=True)
    for rule, values in figures.items():
        cells = [number(values["epochs_used_percent"], digits=1)]
        cells += [_change(-values["epochs_saved_vs_menndl_percent"])] if saves else []
        cells += [
            "/".join(_share(values[f"overlap_{share}"]) for share in _SHARES),
            "/".join(_short(values[f"gap_{share}"]) for share in _SHARES),
            _short(values["kendall_tau"]),
            number(values["regret"], digits=2),
            number(values["mae"], digits=1),
            number(100.0 * values["coverage_90"], digits=0),
            number(values["false_stop_percent"], digits=0),
        ]
        table.add_row(Text(rule), *cells)
    return table


def _change(percent: float) -> str:
    return f"{round(percent):+d}" if math.isfinite(percent) else MISSING


def _share(value: float) -> str:
    return "1" if value == 1.0 else _short(value)


def _short(value: float) -> str:
    """Two places, without a zero before them: .93, -.10, 1.25; whole numbers from 10 on."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.2f}" if abs(value) < 9.995 else f"{value:.0f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _entry(entry: Entry, *, per_candidate: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {name: _finite(value) for name, value in entry.figures.items()}
    if per_candidate:
        figures["candidates"] = _candidates(entry.replays[0].candidates)
    return figures


def _candidates(candidates: Sequence[Replayed]) -> list[dict[str, Any]]:
    return [
        {
            "id": candidate.id,
            "stop_epoch": candidate.stop_epoch,
            "estimate": candidate.estimate,
            "spread": _finite(candidate.spread),
            "reason": str(candidate.reason),
        }
        for candidate in candidates
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
