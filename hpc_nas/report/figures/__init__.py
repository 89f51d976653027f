"""Plots of a campaign as PNG files, one module per figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from hpc_nas.errors import RecordError
from hpc_nas.report.figures.best_estimate import draw_best_estimate
from hpc_nas.report.figures.epochs_saved import draw_epochs_saved
from hpc_nas.report.figures.estimates import draw_estimates
from hpc_nas.report.figures.learning_curves import draw_learning_curves
from hpc_nas.report.figures.pareto import draw_pareto
from hpc_nas.report.figures.style import house_style, save
from hpc_nas.report.figures.timeline import draw_timeline
from hpc_nas.report.summary import Summary

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

__all__ = ["FIGURES", "draw_all"]

FIGURES: dict[str, Callable[[CampaignRecord, Summary], Figure]] = {
    "learning_curves.png": draw_learning_curves,
    "epochs_saved.png": draw_epochs_saved,
    "estimates.png": draw_estimates,
    "timeline.png": draw_timeline,
    "best_estimate.png": draw_best_estimate,
    "pareto.png": draw_pareto,
}
"""What is drawn, by file name. Each draws a note where there is nothing to show yet."""


def draw_all(record: CampaignRecord, summary: Summary, *, directory: Path) -> list[Path]:
    """Draw every figure into `directory`, which is made where it is missing; returns the paths written.

    Raises RecordError if they can't be written.
    """
    paths = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with house_style():
            for name, draw in FIGURES.items():
                paths.append(save(draw(record, summary), directory / name))
    except OSError as error:
        raise RecordError(
            f"{directory}: the plots can't be written ({error}); choose another place with --output DIR"
        ) from error
    return paths
