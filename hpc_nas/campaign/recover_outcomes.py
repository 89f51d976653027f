"""What a dead group had already brought to an end, or set aside: its rank files are the truth."""

from __future__ import annotations

import logging
from collections.abc import Container
from pathlib import Path

import numpy as np

import estimator
from hpc_nas.campaign.patience import may_pass
from hpc_nas.configuration import Mode
from hpc_nas.group import protocol
from hpc_nas.group.attempt_monitor import AttemptMonitor
from hpc_nas.records.checkpoint_files import CheckpointName
from hpc_nas.records.group_rows import rank_files_of
from hpc_nas.records.layout import Rows
from hpc_nas.records.ownership import Owner
from hpc_nas.records.rank_file import (
    none_if_nan,
    observation_from_row,
    outcome_from_row,
    string,
)
from hpc_nas.values import FINAL_STATES, Outcome, Reason, State

logger = logging.getLogger(__name__)

_Key = tuple[int, int]

Ending = Outcome | protocol.Interrupted
"""How an attempt ended, or that a rule had paused it (and the name of its checkpoint, if that was ever written)."""


def recover_outcomes(
    paths: list[Path],
    *,
    group: int,
    num_trainers: int | None,
    wanted: Container[_Key],
    preset: estimator.Preset,
) -> list[Ending]:
    """What became of the `wanted` attempts, (candidate, attempt), that ended or were paused in this group's rank files.

    Where the estimator rank died before it concluded, the outcome is made from the attempt's rows and from the
    decision to stop it that was recorded. Files of others than this group's ranks (`num_trainers` trainers; None:
    nobody knows how many) and rows that can't be are passed over. Raises RecordError for a file that can't be read
    just now.
    """
    outcomes: dict[_Key, Ending] = {}
    stops: dict[_Key, np.void] = {}
    left: list[tuple[Rows, Rows]] = []
    contents, problems = rank_files_of(paths, group=group, num_trainers=num_trainers, raise_if=may_pass)
    for problem in problems:
        logger.warning("not recovered: %s", problem)
    for path, content, owner in contents:
        tables = content.tables if owner is not Owner.FOREIGN else {}
        for row in tables.get("outcomes", ()):
            if (key := _key(row)) in wanted and (outcome := _outcome(row, path=path)) is not None:
                outcomes[key] = outcome
        for row in tables.get("forecasts", ()):
            if string(row["action"]) == estimator.Action.STOP:
                stops.setdefault(_key(row), row)
        if "attempts" in tables and "observations" in tables:
            left.append((tables["attempts"], tables["observations"]))
    for attempts, observations in left:
        for row in attempts:
            if (key := _key(row)) in wanted and key not in outcomes:
                try:
                    concluded = _conclude(row, observations, preset=preset, stop=stops.get(key))
                except ValueError as error:
                    logger.warning(
                        "candidate %d attempt %d: an end that can't be was passed over: %s", *key, error
                    )
                    continue
                if concluded is not None:
                    outcomes[key] = concluded
    return list(outcomes.values())


def _key(row: np.void) -> _Key:
    return int(row["candidate"]), int(row["attempt"])


def _outcome(row: np.void, *, path: Path) -> Outcome | None:
    try:
        return outcome_from_row(row)
    except ValueError as error:
        logger.warning("%s: an outcome that can't be was passed over: %s", path, error)
        return None


def _conclude(
    row: np.void, observations: Rows, *, preset: estimator.Preset, stop: np.void | None
) -> Ending | None:
    """What an attempt came to. `stop` is the recorded decision to stop it, None where there is none.

    The estimator signals first and records then: if it died in between, a preset that looks at no other candidate
    decides once more. For one that does, nobody knows what the decision rested on: None, and the attempt is lost.
    """
    candidate, attempt = _key(row)
    try:
        state, reason = State(string(row["state"])), Reason(string(row["reason"]))
    except ValueError:
        return None
    if state is State.PAUSED:
        return _paused(row, candidate=candidate, attempt=attempt)
    unrecorded = state is State.STOPPED and stop is None
    if state not in FINAL_STATES or (unrecorded and not preset.alone):
        return None
    judge = AttemptMonitor(
        preset, history=estimator.MirroredHistory(), mode=Mode.STOP, candidate=candidate, attempt=attempt
    )
    mine = (observations["candidate"] == candidate) & (observations["attempt"] == attempt)
    for observed in observations[mine]:
        try:
            judge.observe(observation_from_row(observed))
        except ValueError as error:  # the estimator rank passes such rows over, too
            logger.warning("candidate %d attempt %d: row ignored: %s", candidate, attempt, error)
    outcome = judge.conclude(state, reason=reason, message=string(row["message"]))
    if state is not State.STOPPED or stop is None:
        return outcome
    return outcome.model_copy(update={name: none_if_nan(stop[name]) for name in ("estimate", "spread")})


def _paused(row: np.void, *, candidate: int, attempt: int) -> protocol.Interrupted:
    """What the group would have said of a candidate that it paused."""
    batches = int(row["start_batch"]) + int(row["batches"])
    return protocol.Interrupted(
        trainer=0,  # nobody's any more
        candidate=candidate,
        attempt=attempt,
        how="paused",
        epochs=float(row["epochs"]),
        checkpoint=str(CheckpointName(candidate=candidate, batches=batches, attempt=attempt)),
        message=string(row["message"]),
    )
