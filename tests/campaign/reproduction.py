"""Makes every decision and promotion of a campaign again, from its rank files and the history's journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimator import Action, Described, Engine, History, MirroredHistory, Promotion, Resumed
from hpc_nas.configuration import Configuration, Mode
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.records.archive import CampaignRecord, load_record
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.layout import CARRIED, Rows
from hpc_nas.records.ledger import CandidateEnded, read_ledger
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


@dataclass(frozen=True, kw_only=True)
class PromotionsAgain:
    """Whom the promotion takes up, and how it settles the rest: as recorded, and asked again of the same history."""

    recorded: list[int | None]
    promoted_again: list[int | None]
    settled: list[tuple[int, str, float]]
    settled_again: list[tuple[int, str, float]]


def promote_again(run_dir: Path) -> PromotionsAgain:
    """Ask the promotion again, at each version at which a paused candidate was taken up, and at the end."""
    directory = RunDirectory.open(run_dir)
    configuration = Configuration.model_validate_json(directory.configuration_path.read_text())
    record = load_record(directory.path)
    promotion = make_preset(configuration, chance_accuracy=record.data["chance_accuracy"]).promotion
    recorded: list[int | None] = []
    again: list[int | None] = []
    history = History()
    num_new = configuration.campaign.num_candidates
    settled: list[tuple[int, str, float]] = []
    settled_again: list[tuple[int, str, float]] = []
    ended = [
        event
        for event in read_ledger(directory.ledger_path).events
        if isinstance(event, CandidateEnded) and event.history_version is not None
    ]
    for event in read_history(directory.history_path).events:
        settled_again += _settle(promotion, history, ended)
        if isinstance(event, Resumed):
            recorded.append(event.candidate)
            again.append(promotion.promote(history, num_new=num_new))
        num_new -= isinstance(event, Described)
        history.apply(event)
    settled += [(e.outcome.candidate, str(e.outcome.reason), e.outcome.estimate or np.nan) for e in ended]
    return PromotionsAgain(
        recorded=recorded, promoted_again=again, settled=settled, settled_again=settled_again
    )


def _settle(
    promotion: Promotion, history: History, ended: list[CandidateEnded]
) -> list[tuple[int, str, float]]:
    """What the promotion says of those that were settled by this version."""
    those = [event.outcome.candidate for event in ended if event.history_version == history.version]
    decisions = promotion.settle(history) if those else {}
    return [(number, str(decisions[number].reason), decisions[number].estimate) for number in those]


def _of(rows: Rows, key: tuple[int, int]) -> Rows:
    return rows[(rows["candidate"] == key[0]) & (rows["attempt"] == key[1])]


def _decide(engine: Engine, row: np.void) -> tuple[Any, ...]:
    names = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")
    figures = {name: float(row[name]) for name in names}
    action: str
    if row["carried"]:  # decided on in an earlier attempt
        forecast = engine.remember(row["epoch"], **figures)
        action, reason, estimate = Action.GO, CARRIED, np.nan
    else:
        decision = engine.observe(row["epoch"], **figures)
        forecast, action, reason = decision.forecast, decision.action, decision.reason or ""
        estimate = decision.estimate
    shown = (
        (forecast.value, forecast.spread, *forecast.interval_90, forecast.num_points)
        if forecast is not None
        else (np.nan,) * 4 + (0,)
    )
    return tuple(map(_plain, (action, reason, estimate, *shown)))


def _plain(value: Any) -> str:
    return (
        value.decode()
        if isinstance(value, bytes)
        else str(value)
        if isinstance(value, str)
        else repr(float(value))
    )
