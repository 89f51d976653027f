"""Archives of earlier campaigns, made without training: their candidates are drawn, their curves are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hpc_nas.configuration import Configuration
from hpc_nas.records.archive import CampaignRecord, write_archive
from hpc_nas.records.campaign_record import TABLES
from hpc_nas.search import SearchContext, make_strategy
from hpc_nas.search.strategy import Strategy
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.registry import DataSummary
from hpc_nas.values import Candidate

SPACE = {"name": "random-cnn", "max_conv_layers": 1, "max_filters": 8}


def configured(*names: Path, **tables: Any) -> Configuration:
    """A campaign that begins with these records."""
    tables = {"space": SPACE, "training": {"max_epochs": 2.0}, "search": {"name": "tpe"}, **tables}
    search = {**tables.pop("search"), "warm_start": [str(name) for name in names]}
    return Configuration.model_validate_json(json.dumps({**tables, "search": search}))


def strategy(summary: DataSummary, configuration: Configuration, *, seed: int = 1) -> Strategy:
    context = SearchContext(
        space=load_space(configuration.space), problem=summary.problem, seed=seed, num_candidates=20
    )
    return make_strategy(configuration.search, context=context)


def drawn(summary: DataSummary, *, count: int) -> list[Candidate]:
    some_strategy = strategy(summary, configured(search={"name": "random"}))
    return [some_strategy.ask(number) for number in range(count)]


def rows_of(table: str, rows: Sequence[dict[str, Any]]) -> np.ndarray[Any, Any]:
    result = np.zeros(len(rows), dtype=TABLES[table])
    for target, row in zip(result, rows, strict=True):
        for name, value in row.items():
            target[name] = value
    return result


def archive(
    path: Path,
    summary: DataSummary,
    *,
    candidates: Sequence[Candidate],
    states: Sequence[str],
    configuration: Configuration | None = None,
) -> Path:
    """The archive of a campaign whose candidates were seen at epochs 1 and 2, or stopped at 1.

    Candidate 0 has 50 %, each after it 4 points more; at the first epoch one point less.
    """
    ends = {
        "finished": (b"full_budget", 2),
        "stopped": (b"converged", 1),
        "failed": (b"build", 0),
        "running": (b"", 1),
    }
    described: list[dict[str, Any]] = []
    observed: list[dict[str, Any]] = []
    for candidate, state in zip(candidates, states, strict=True):
        reason, epochs = ends[state]
        accuracy = 50.0 + 4.0 * candidate.number
        facts = candidate.model_dump(exclude={"parameters"})
        described.append(
            {
                **facts,
                "state": state.encode(),
                "reason": reason,
                "estimate": accuracy,
                "spread": math.nan,
                "best_accuracy": accuracy,
                "epochs": epochs,
                "attempts": 2,
                "audited": candidate.number == 0,
            }
        )
        for attempt in (0, 1):  # the first was lost after one row
            observed += [
                {
                    "candidate": candidate.number,
                    "attempt": attempt,
                    "epoch": epoch,
                    "val_accuracy": accuracy + epoch - epochs,
                }
                for epoch in range(1, epochs + 1)[: 2 if attempt else 1]
            ]
    empty = {name: np.zeros(0, dtype=TABLES[name]) for name in ("attempts", "forecasts", "outcomes")}
    tables = (configuration or configured()).model_dump(mode="json")
    write_archive(
        CampaignRecord(
            name="earlier",
            host="",
            commit="",
            versions={},
            data=json.loads(json.dumps(asdict(summary), default=dict)),
            configuration=tables,
            parameters=[dict(candidate.parameters) for candidate in candidates],
            candidates=rows_of("candidates", described),
            observations=rows_of("observations", observed),
            **empty,
        ),
        path,
    )
    return path
