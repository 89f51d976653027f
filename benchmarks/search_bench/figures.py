"""The report's figures: what each search cost against what it found."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from benchmarks.search_bench.epsilon import agent_figures, draw_epsilon
from benchmarks.search_bench.plans import OWN_RULE, PRESETS, STRATEGIES
from benchmarks.search_bench.values import SearchResults
from hpc_nas.report.figures.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    TEAL,
    WINE,
    house_style,
    legend_below,
    new_axes,
    save,
)

__all__ = ["draw_figures"]

_LOOKS = dict(
    zip(
        (*PRESETS, OWN_RULE),
        ((BLUE, "o"), (ORANGE, "s"), (TEAL, "^"), (INK, "v"), (FAINT, "P"), (WINE, "D")),
        strict=True,
    )
)
_TEXT_BELOW = ("menndl", "peng4nn-fast")
"""They lie beside `none` and `peng4nn` nearly always."""


def draw_figures(results: SearchResults, directory: Path) -> list[Path]:
    """Draw what there is; returns the paths of the PNG files."""
    directory.mkdir(parents=True, exist_ok=True)
    return [*_strategies(results, directory), *_agent(results, directory)]


def _agent(results: SearchResults, directory: Path) -> list[Path]:
    found = agent_figures(results)
    return [draw_epsilon(found, directory / "epsilon.png")] if found else []


def _strategies(results: SearchResults, directory: Path) -> list[Path]:
    campaigns = [one for one in results.campaigns.values() if one.plan.part == STRATEGIES and one.picks]
    if not campaigns:
        return []
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in campaigns:
        groups.setdefault((one.plan.strategy, one.plan.preset), []).append(
            (one.epochs_trained, one.picks[0].final)
        )
    with house_style():
        figure, axes = new_axes(height_inches=5.6)
        handles = {}
        names = list(dict.fromkeys(strategy for strategy, _ in groups))
        for (strategy, preset), points in groups.items():
            colour, marker = _LOOKS[preset]
            epochs, finals = zip(*points, strict=True)
            row = names.index(strategy)
            (handles[preset],) = axes.plot(
                mean(epochs), row, linestyle="none", marker=marker, color=colour, label=preset
            )
            below = -13 if preset in _TEXT_BELOW else 6
            axes.annotate(
                f"{mean(finals):.2f}",
                (mean(epochs), row),
                textcoords="offset points",
                xytext=(0, below),
                ha="center",
                fontsize=7,
                color=colour,
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set(
            xlabel="epochs trained in the campaign (text: best found, %)",
            xlim=(0, None),
        )
        legend_below(figure, list(handles.values()))
        return [save(figure, directory / "strategies.png")]
