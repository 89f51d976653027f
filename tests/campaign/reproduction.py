"""Makes every decision of a campaign again, from its rank files and the history's journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimator import Engine, MirroredHistory
from hpc_nas.configuration import Configuration, Mode
from hpc_nas.group.judge import make_preset
from hpc_nas.records.archive import CampaignRecord, load_record
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.layout import Rows
from hpc_nas.records.run_directory import RunDirectory

FIGURES = ("action", "reason", "estimate", "forecast", "spread", "low", "high", "num_points")


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What was recorded and what came of deciding again, row by row in the same order, with NaN as 'nan'."""

    record: CampaignRecord
    recorded: list[tuple[Any, ...]]
    decided_again: list[tuple[Any, ...]]


def reproduce(run_dir: Path) -> Reproduction:
    """Decide again, each attempt by an engine of its own that is shown the versions that were recorded."""
    directory = RunDirectory.open(run_dir)
    record = load_record(directory.path)
    configuration = Configuration.model_validate_json(directory.configuration_path.read_text())
    preset = make_preset(configuration, chance_accuracy=record.data["chance_accuracy"])
    events = read_history(directory.history_path).events
    recorded, again = [], []
    for key in sorted({(int(row["candidate"]), int(row["attempt"])) for row in record.forecasts}):
        history = MirroredHistory()
        audited = configuration.mode_for(key[0]) is Mode.OBSERVE
        engine = Engine(preset, history=history, candidate=key[0], audited=audited)
        observations = {row["epoch"]: row for row in _of(record.observations, key)}
        for row in _of(record.forecasts, key):
            for event in events[history.version : row["history_version"]]:
                history.apply(event)
            assert history.version == row["history_version"]
            recorded.append((*key, row["epoch"], *(_plain(row[name]) for name in FIGURES)))
            again.append((*key, row["epoch"], *_decide(engine, observations[row["epoch"]])))
    return Reproduction(record=record, recorded=recorded, decided_again=again)


def _of(rows: Rows, key: tuple[int, int]) -> Rows:
    return rows[(rows["candidate"] == key[0]) & (rows["attempt"] == key[1])]


def _decide(engine: Engine, row: np.void) -> tuple[Any, ...]:
    names = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")
    decision = engine.observe(row["epoch"], **{name: float(row[name]) for name in names})
    forecast = decision.forecast
    shown = (
        (forecast.value, forecast.spread, *forecast.interval_90, forecast.num_points)
        if forecast is not None
        else (np.nan,) * 4 + (0,)
    )
    return tuple(map(_plain, (decision.action, decision.reason or "", decision.estimate, *shown)))


def _plain(value: Any) -> str:
    return (
        value.decode()
        if isinstance(value, bytes)
        else str(value)
        if isinstance(value, str)
        else repr(float(value))
    )
