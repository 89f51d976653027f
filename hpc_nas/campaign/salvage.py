"""What a dead group had already brought to an end: its rank files are the truth."""

from __future__ import annotations

import logging
from pathlib import Path

import estimator
from hpc_nas.configuration import Mode
from hpc_nas.errors import RecordError
from hpc_nas.group.judge import Judge
from hpc_nas.records.rank_file import observation_from_row, outcome_from_row, read_rank_file
from hpc_nas.values import FINAL_STATES, Outcome, Reason, State

logger = logging.getLogger(__name__)


def salvage(paths: list[Path], *, preset: estimator.Preset, mode: Mode) -> list[Outcome]:
    """Outcomes of every attempt that ended in these rank files, whether or not the estimator had got to it.

    Where the estimator rank died before it concluded, the attempt's rows are judged again: a judge depends on
    them alone, so the outcome is the same.
    """
    outcomes: dict[tuple[int, int], Outcome] = {}
    left: dict[tuple[int, int], Outcome] = {}
    for path in paths:
        try:
            file = read_rank_file(path)
        except RecordError as error:
            logger.warning("nothing to salvage there: %s", error)
            continue
        for row in file.tables.get("outcomes", ()):
            outcome = outcome_from_row(row)
            outcomes[outcome.candidate, outcome.attempt] = outcome
        observations = file.tables.get("observations")
        for row in file.tables.get("attempts", ()):
            key = (int(row["candidate"]), int(row["attempt"]))
            judge = Judge(preset, mode=mode, candidate=key[0], attempt=key[1])
            if observations is not None:
                mine = (observations["candidate"] == key[0]) & (observations["attempt"] == key[1])
                for observed in observations[mine]:
                    judge.observe(observation_from_row(observed))
            state, reason = State(row["state"].decode()), Reason(row["reason"].decode())
            if state in FINAL_STATES:
                left[key] = judge.conclude(
                    state, reason=reason, message=row["message"].decode(errors="replace")
                )
    return list({**left, **outcomes}.values())
