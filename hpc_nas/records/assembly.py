"""From the ledger and the rank files of a run directory to one record of its campaign, at any time."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpc_nas.configuration import Mode
from hpc_nas.configuration.audit import is_audited
from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.group_rows import foreign_candidates, read_rows
from hpc_nas.records.layout import Rows
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CampaignClosed,
    CampaignOpened,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupReported,
    Ledger,
    NodeExcluded,
    read_ledger,
)
from hpc_nas.records.rank_file import text
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Outcome, State

_OF_A_CANDIDATE = ("number", "seed", "num_parameters", "num_layers", "macs", "redraws", "beyond_limits")
_Attempt = tuple[int, int]


def assemble(directory: RunDirectory) -> CampaignRecord:
    """Everything recorded so far, from the ledger and all rank files.

    What of the rank files can't be read, or isn't its writer's to say, is left out and named in `problems`. Raises
    RecordError for a ledger or a configuration that can't be read.
    """
    configuration = _configuration(directory)
    ledger = (
        read_ledger(directory.ledger_path)
        if directory.ledger_path.exists()
        else Ledger(events=(), damaged_tail=None, num_bytes=0)
    )
    rows = read_rows(directory, ledger.events)
    tables = rows.tables
    own = tables["observations"][tables["observations"]["carried"] == 0]
    seen = set(zip(own["candidate"].tolist(), own["attempt"].tolist(), strict=True))
    entries = _entries(ledger.events, seen=seen)
    opened = [event for event in ledger.events if isinstance(event, CampaignOpened)]
    last = ledger.events[-1] if ledger.events else None
    return CampaignRecord(
        name=str(configuration.get("campaign", {}).get("name", directory.path.name)),
        host=opened[-1].host if opened else "",
        commit=opened[-1].commit if opened else "",
        hpc_nas_version=opened[-1].hpc_nas_version if opened else "",
        versions=opened[-1].versions if opened else {},
        data=opened[-1].data if opened else {},
        configuration=configuration,
        created_time=opened[0].time_s if opened else math.nan,
        elapsed_s=_elapsed_s(ledger.events),
        close_reason=last.reason if isinstance(last, CampaignClosed) else "",
        ledger_bytes=ledger.num_bytes,
        problems=rows.problems,
        excluded_nodes=tuple(
            dict.fromkeys(event.host for event in ledger.events if isinstance(event, NodeExcluded))
        ),
        parameters=[dict(entry.candidate.parameters) for entry in entries],
        candidates=_candidates(entries, tables, audited=_audited(entries, configuration)),
        foreign=foreign_candidates(tables["observations"], rows.foreign_files),
        **tables,
    )


def _configuration(directory: RunDirectory) -> dict[str, Any]:
    path = directory.configuration_path
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: can't be read: {error}; restore it from a copy") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path}: holds no configuration; restore it from a copy")
    return content


def _elapsed_s(events: tuple[Event, ...]) -> float:
    """The time between campaign processes does not count, nor do steps back of the clock."""
    total = 0.0
    before: float | None = None
    for event in events:
        if before is not None and not isinstance(event, CampaignOpened):
            total += max(0.0, event.time_s - before)
        before = event.time_s
    return total


# --- candidates ----------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Entry:
    candidate: Candidate
    state: State = State.QUEUED
    attempt: int = -1
    attempts: int = 0
    resumptions: int = 0
    pauses: int = 0
    outcome: Outcome | None = None


def _entries(events: tuple[Event, ...], *, seen: Container[_Attempt]) -> list[_Entry]:
    """Where each candidate stands, in order of number; `seen` are the attempts of which there are observations."""
    entries = _as_told(events)
    for number, attempt in _held_ready(events):
        entry = entries.get(number)
        if (
            entry
            and (entry.state, entry.attempt) == (State.RUNNING, attempt)
            and (number, attempt) not in seen
        ):
            entry.state = State.QUEUED
    return [entries[number] for number in sorted(entries)]


def _held_ready(events: tuple[Event, ...]) -> list[_Attempt]:
    """What groups hold for the trainer that is free next: handed out and not ended, beyond their trainers' number.

    A group's trainers take up candidates in the order in which it was given them.
    """
    trainers: dict[int, int] = {}
    in_hand: dict[int, dict[_Attempt, None]] = defaultdict(dict)
    for event in events:
        if isinstance(event, GroupReported):
            trainers[event.group] = event.num_trainers
        elif isinstance(event, AttemptStarted):
            in_hand[event.group][event.candidate, event.attempt] = None
        elif isinstance(event, AttemptInterrupted | AttemptLost):
            in_hand[event.group].pop((event.candidate, event.attempt), None)
        elif isinstance(event, CandidateEnded):
            in_hand[event.group].pop((event.outcome.candidate, event.outcome.attempt), None)
    return [
        attempt
        for group, attempts in in_hand.items()
        for attempt in list(attempts)[trainers.get(group, len(attempts)) :]
    ]


def _as_told(events: tuple[Event, ...]) -> dict[int, _Entry]:
    """Where each candidate stands, by number: one that was handed to a group counts as running."""
    entries: dict[int, _Entry] = {}
    for event in events:
        if isinstance(event, CandidateDrawn):
            entries[event.candidate.number] = _Entry(candidate=event.candidate)
        elif isinstance(event, AttemptStarted) and (entry := entries.get(event.candidate)):
            entry.state, entry.attempt = State.RUNNING, event.attempt
            entry.attempts += 1
            entry.resumptions += event.checkpoint is not None
        elif isinstance(event, AttemptInterrupted) and (entry := entries.get(event.candidate)):
            paused = event.how == "paused" and event.checkpoint is not None
            entry.state = State.PAUSED if paused else State.QUEUED
            entry.pauses += paused
        elif isinstance(event, AttemptLost) and (entry := entries.get(event.candidate)):
            entry.state = State.QUEUED
        elif isinstance(event, CandidateEnded) and (entry := entries.get(event.outcome.candidate)):
            entry.state, entry.outcome, entry.attempt = (
                event.outcome.state,
                event.outcome,
                event.outcome.attempt,
            )
    return entries


@dataclass
class _Curve:
    """What the observations of one attempt say; `start` is the epoch up to which they were carried."""

    start: float = 0.0
    epochs: float = 0.0
    best: float = math.nan


def _curves(tables: dict[str, Rows]) -> dict[_Attempt, _Curve]:
    curves: dict[_Attempt, _Curve] = defaultdict(_Curve)
    rows = tables["observations"]
    rows = rows[rows["candidate"] >= 0]
    columns = (rows[name].tolist() for name in ("candidate", "attempt", "epoch", "val_accuracy", "carried"))
    for candidate, attempt, epoch, accuracy, carried in zip(*columns, strict=True):
        curve = curves[candidate, attempt]
        if carried:
            curve.start = max(curve.start, epoch)
        curve.epochs = max(curve.epochs, epoch)
        curve.best = accuracy if math.isnan(curve.best) else max(curve.best, accuracy)
    return curves


@dataclass
class _Spent:
    """The epochs that one candidate has cost, and those of them that were trained twice."""

    trained: float = 0.0
    reached: float = 0.0

    @property
    def twice(self) -> float:
        return round(max(0.0, self.trained - self.reached), 9)  # less what sums of fractions are off


def _spent(curves: dict[_Attempt, _Curve], attempts: Rows) -> dict[int, _Spent]:
    """By candidate. Of each attempt, from where it went on to its last observation, or to what it reported if more."""
    spans = {key: (curve.start, curve.epochs) for key, curve in curves.items()}
    columns = (attempts[name].tolist() for name in ("candidate", "attempt", "start_epoch", "epochs"))
    for candidate, attempt, start, epochs in zip(*columns, strict=True):
        before = spans.get((candidate, attempt), (0.0, 0.0))
        spans[candidate, attempt] = max(before[0], start), max(before[1], epochs)
    total: dict[int, _Spent] = defaultdict(_Spent)
    for (candidate, _), (start, epochs) in spans.items():
        spent = total[candidate]
        spent.trained += max(0.0, epochs - start)
        spent.reached = max(spent.reached, epochs)
    return total


def _audited(entries: list[_Entry], configuration: dict[str, Any]) -> list[bool]:
    """Whether each is trained to the end whatever is decided; nobody, where the configuration knows of no audit."""
    section, campaign = configuration.get("estimator", {}), configuration.get("campaign", {})
    seed, share = campaign.get("seed", 0), section.get("audit_share", 0.0)
    observing = section.get("mode") == Mode.OBSERVE
    return [observing or is_audited(entry.candidate.number, seed=seed, share=share) for entry in entries]


def _candidates(entries: list[_Entry], tables: dict[str, Rows], *, audited: list[bool]) -> Rows:
    curves = _curves(tables)
    spent = _spent(curves, tables["attempts"])
    rows = np.zeros(len(entries), dtype=layout.CANDIDATE)
    rows["audited"] = audited
    for row, entry in zip(rows, entries, strict=True):
        candidate, outcome = entry.candidate, entry.outcome
        for name in _OF_A_CANDIDATE:
            row[name] = getattr(candidate, name)
        curve = curves.get((candidate.number, entry.attempt), _Curve())
        row["state"] = text(entry.state, layout.WORD)
        for name in ("attempts", "resumptions", "pauses"):
            row[name] = getattr(entry, name)
        cost = spent.get(candidate.number, _Spent())
        row["epochs_all_attempts"], row["epochs_twice"] = cost.trained, cost.twice
        row["estimate"] = row["spread"] = math.nan
        row["best_accuracy"], row["epochs"] = curve.best, curve.epochs
        if outcome is not None:
            row["reason"] = text(outcome.reason, layout.WORD)
            row["message"] = text(outcome.message, layout.TEXT)
            row["epochs"] = outcome.epochs
            for name in ("estimate", "spread", "best_accuracy"):
                value = getattr(outcome, name)
                row[name] = math.nan if value is None else value
    return rows
