"""What a dead group had already brought to an end: its rank files are the truth."""

from __future__ import annotations

import logging
from collections.abc import Container
from pathlib import Path

import numpy as np

import estimator
from hpc_nas.configuration import Mode
from hpc_nas.errors import RecordError
from hpc_nas.group.judge import Judge
from hpc_nas.records.layout import ESTIMATOR_TABLES, TRAINER_TABLES, Rows
from hpc_nas.records.rank_file import observation_from_row, outcome_from_row, read_rank_file, string
from hpc_nas.values import FINAL_STATES, Outcome, Reason, State

logger = logging.getLogger(__name__)

_LAYOUT = {**TRAINER_TABLES, **ESTIMATOR_TABLES}
_Key = tuple[int, int]


def salvage(
    paths: list[Path], *, wanted: Container[_Key], preset: estimator.Preset, mode: Mode
) -> list[Outcome]:
    """Outcomes of the `wanted` attempts, (candidate, attempt), that ended in these rank files.

    Where the estimator rank died before it concluded, the attempt's rows are judged again: a judge depends on
    them alone, so the outcome is the same. Files and rows that are not ours are passed over.
    """
    outcomes: dict[_Key, Outcome] = {}
    left: list[tuple[Rows, Rows]] = []
    for path in paths:
        tables = _tables(path)
        for row in tables.get("outcomes", ()):
            if (key := _key(row)) in wanted and (outcome := _outcome(row, path=path)) is not None:
                outcomes[key] = outcome
        if "attempts" in tables and "observations" in tables:
            left.append((tables["attempts"], tables["observations"]))
    for attempts, observations in left:
        for row in attempts:
            if (key := _key(row)) in wanted and key not in outcomes:
                judged = _judge_again(row, observations, preset=preset, mode=mode)
                if judged is not None:
                    outcomes[key] = judged
    return list(outcomes.values())


def _tables(path: Path) -> dict[str, Rows]:
    try:
        found = read_rank_file(path).tables
    except RecordError as error:
        logger.warning("nothing to salvage there: %s", error)
        return {}
    return {name: rows for name, rows in found.items() if rows.dtype == _LAYOUT.get(name)}


def _key(row: np.void) -> _Key:
    return int(row["candidate"]), int(row["attempt"])


def _outcome(row: np.void, *, path: Path) -> Outcome | None:
    try:
        return outcome_from_row(row)
    except ValueError as error:
        logger.warning("%s: an outcome that can't be was passed over: %s", path, error)
        return None


def _judge_again(row: np.void, observations: Rows, *, preset: estimator.Preset, mode: Mode) -> Outcome | None:
    candidate, attempt = _key(row)
    try:
        state, reason = State(string(row["state"])), Reason(string(row["reason"]))
    except ValueError:
        return None
    if state not in FINAL_STATES:
        return None
    judge = Judge(preset, mode=mode, candidate=candidate, attempt=attempt)
    mine = (observations["candidate"] == candidate) & (observations["attempt"] == attempt)
    for observed in observations[mine]:
        try:
            judge.observe(observation_from_row(observed))
        except ValueError as error:  # the estimator rank passes such rows over, too
            logger.warning("candidate %d attempt %d: row ignored: %s", candidate, attempt, error)
    return judge.conclude(state, reason=reason, message=string(row["message"]))
