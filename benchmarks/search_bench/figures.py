"""The report's figures: what each search cost against what it found."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from hpc_nas.report.figures.style import BLUE, ORANGE, TEAL, WINE, house_style, legend_below, new_axes, save
from search_bench.agent import agent_figures
from search_bench.epsilon import draw_epsilon
from search_bench.plans import OWN_RULE, PRESETS, STRATEGIES
from search_bench.values import Results

__all__ = ["draw_figures"]

_LOOKS = dict(zip((*PRESETS, OWN_RULE), ((BLUE, "o"), (ORANGE, "s"), (TEAL, "^"), (WINE, "D")), strict=True))


def draw_figures(results: Results, directory: Path) -> list[Path]:
    """Draw what there is; returns the paths of the PNG files."""
    directory.mkdir(parents=True, exist_ok=True)
    return [*_strategies(results, directory), *_agent(results, directory)]


def _agent(results: Results, directory: Path) -> list[Path]:
    found = agent_figures(results)
    return [draw_epsilon(found, directory / "epsilon.png")] if found else []


def _strategies(results: Results, directory: Path) -> list[Path]:
    campaigns = [
        one for one in results.campaigns.values() if one.plan.part == STRATEGIES and one.pick is not None
    ]
    if not campaigns:
        return []
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in campaigns:
        assert one.pick is not None
        groups.setdefault((one.plan.strategy, one.plan.preset), []).append(
            (one.epochs_trained, one.pick.final)
        )
    with house_style():
        figure, axes = new_axes(height_inches=3.8)
        handles = {}
        for (strategy, preset), points in groups.items():
            colour, marker = _LOOKS[preset]
            epochs, finals = zip(*points, strict=True)
            axes.plot(epochs, finals, linestyle="none", marker=marker, color=colour, alpha=0.35, markersize=4)
            (handles[preset],) = axes.plot(
                mean(epochs), mean(finals), linestyle="none", marker=marker, color=colour, label=preset
            )
            axes.annotate(
                strategy, (mean(epochs), mean(finals)), textcoords="offset points", xytext=(5, 3), fontsize=7
            )
        axes.grid(visible=True)
        axes.set(xlabel="epochs trained in the whole campaign", ylabel="best found, full budget, %")
        legend_below(figure, list(handles.values()))
        return [save(figure, directory / "strategies.png")]
