"""The record of a campaign: all that its ledger and its rank files say, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import hpc_nas
from hpc_nas.records import layout
from hpc_nas.records.layout import Rows

SOURCE = [("group", "<i4"), ("rank", "<i4")]

OBSERVATIONS = np.dtype([*layout.OBSERVATION.descr, *SOURCE])
ATTEMPTS = np.dtype([*layout.ATTEMPT.descr, *SOURCE])
FORECASTS = np.dtype([*layout.FORECAST.descr, *SOURCE])
OUTCOMES = np.dtype([*layout.OUTCOME.descr, *SOURCE])
"""The rows of the rank files, with the group and the rank that wrote them."""

TABLES = {
    "candidates": layout.CANDIDATE,
    "observations": OBSERVATIONS,
    "attempts": ATTEMPTS,
    "forecasts": FORECASTS,
    "outcomes": OUTCOMES,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class CampaignRecord:
    """All that is known of a campaign, running or ended. The tables are those of `layout` and above.

    `candidates` are the campaign's own, `foreign` those of programs that are not ours, which stream into its groups'
    directories: an archive has both in its table `candidates`. Their rows are in `observations` and `forecasts`.

    `elapsed_s` sums the time of every process of the campaign, from its opening to its last event. `data`
    sums up the data set. `parameters[i]` belongs to row i of `candidates`. `problems` says which
    files or rows can't be read and are left out; `excluded_nodes` on which hosts no group is started any more.
    """

    name: str
    host: str
    commit: str
    hpc_nas_version: str = hpc_nas.__version__
    versions: dict[str, str]
    data: dict[str, Any]
    configuration: dict[str, Any]
    created_time: float = math.nan
    elapsed_s: float = 0.0
    close_reason: str = ""  # empty while the campaign runs, or was killed
    ledger_bytes: int = 0
    problems: tuple[str, ...] = ()
    excluded_nodes: tuple[str, ...] = ()
    parameters: list[dict[str, Any]] = field(default_factory=list)
    candidates: Rows
    observations: Rows
    attempts: Rows
    forecasts: Rows
    outcomes: Rows
    foreign: Rows = field(default_factory=lambda: np.empty(0, dtype=layout.CANDIDATE))
