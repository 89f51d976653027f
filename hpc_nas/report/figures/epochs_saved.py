"""Figure: how the saved share of the training epochs is distributed over the candidates (PEng4NN, Fig. 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpc_nas.report.figures.style import COLOURS, INK, legend_below, new_axes, note
from hpc_nas.report.rows import evaluated, first_stops, texts
from hpc_nas.report.summary import Summary
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

BINS = np.linspace(0.0, 100.0, 21)


def draw_epochs_saved(record: CampaignRecord, summary: Summary) -> Figure:
    """Share of candidates over the percentage of epochs saved; the dashed line is the mean.

    Over finished and stopped candidates. In mode `observe`: what stopping would have saved.
    """
    figure, axes = new_axes(height_inches=3.6)
    observing = record.configuration["estimator"]["mode"] == "observe"
    verb = "that stopping would have saved" if observing else "saved"
    axes.set(
        xlabel=f"training epochs {verb} (% of the full budget)",
        ylabel="candidates (%)",
        title=f"Epochs {verb}: {record.name}",
    )
    done = record.candidates[evaluated(record)]
    if not len(done):
        note(axes, "no candidate has finished or been stopped yet")
        return figure
    max_epochs = float(record.configuration["training"]["max_epochs"])
    epochs = done["epochs"].astype(float)
    stopped = np.array([state == State.STOPPED for state in texts(done["state"])])
    if observing:
        stops = first_stops(record)
        stopped = np.array([int(number) in stops for number in done["number"]])
        epochs[stopped] = [stops[int(number)]["epoch"] for number in done["number"][stopped]]
    saved = np.clip(100.0 * (1.0 - epochs / max_epochs), 0.0, 100.0)
    weight = 100.0 / len(saved)
    parts = {State.FINISHED: saved[~stopped], State.STOPPED: saved[stopped]}
    axes.hist(
        list(parts.values()),
        bins=list(BINS),
        weights=[np.full(len(part), weight) for part in parts.values()],
        stacked=True,
        color=[COLOURS[state] for state in parts],
        edgecolor="white",
        linewidth=0.8,
    )
    mean = float(saved.mean())
    axes.axvline(mean, color=INK, linestyle="--", linewidth=1.5)
    axes.set_xlim(0.0, 100.0)
    words = {
        State.FINISHED: "trained to the end",
        State.STOPPED: "would have stopped" if observing else "stopped",
    }
    patches = [
        Patch(color=COLOURS[state], label=f"{words[state]} ({len(part)})") for state, part in parts.items()
    ]
    line = Line2D([], [], color=INK, linestyle="--", label=f"mean {mean:.1f} %")
    legend_below(figure, [*patches, line])
    return figure
