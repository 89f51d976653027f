"""Questions that tables and plots ask of a record's rows: which attempt counts, which curve, which decision.

The tables are those of `hpc_nas.records.layout`. All answers are about candidates
that the record knows; rows of other candidates (a foreign file in the run directory) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpc_nas.records.layout import Rows
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

EVALUATED = (State.FINISHED, State.STOPPED)
"""The states of a candidate whose estimate counts."""


def texts(field: Iterable[bytes]) -> list[str]:
    """A field of NUL-padded UTF-8 bytes as strings."""
    return [value.decode("utf-8", errors="replace") for value in field]


def states(record: CampaignRecord) -> list[str]:
    """The state of every candidate, in the order of the candidates table."""
    return texts(record.candidates["state"])


def state_of(record: CampaignRecord) -> dict[int, str]:
    """The state of every candidate, by number."""
    return dict(zip(record.candidates["number"].tolist(), states(record), strict=True))


def evaluated(record: CampaignRecord) -> NDArray[np.bool_]:
    """Which rows of the candidates table are finished or stopped."""
    return np.array([state in EVALUATED for state in states(record)], dtype=bool)


def ranking(record: CampaignRecord) -> Rows:
    """Finished and stopped candidates with an estimate: the highest first, equals by their number."""
    candidates = record.candidates
    rows = candidates[evaluated(record) & np.isfinite(candidates["estimate"])]
    ordered: Rows = rows[np.lexsort((rows["number"], -rows["estimate"]))]
    return ordered


def counted(record: CampaignRecord, rows: Rows) -> Rows:
    """The rows that belong to each candidate's attempt that counts: the last one that left a trace."""
    tables = (record.observations, record.attempts, record.forecasts, record.outcomes)
    highest = int(record.candidates["number"].max(initial=-1))
    last = np.full(highest + 1, -1, dtype=np.int64)
    known = np.zeros(highest + 1, dtype=bool)
    known[record.candidates["number"]] = True
    for table in tables:
        inside = table[_between(table["candidate"], highest)]
        np.maximum.at(last, inside["candidate"], inside["attempt"])
    rows = rows[_between(rows["candidate"], highest)]
    numbers = rows["candidate"]
    mine: Rows = rows[known[numbers] & (rows["attempt"] == last[numbers])]
    return mine


def curves(record: CampaignRecord) -> dict[int, Rows]:
    """The observations of each candidate's counted attempt, in order of epoch, by candidate number."""
    return by_candidate(counted(record, record.observations))


def by_candidate(rows: Rows) -> dict[int, Rows]:
    """Rows split by candidate, each in order of epoch."""
    ordered = rows[np.lexsort((rows["epoch"], rows["candidate"]))]
    numbers, starts = np.unique(ordered["candidate"], return_index=True)
    parts = np.split(ordered, starts[1:]) if len(numbers) else []
    return {int(number): part for number, part in zip(numbers, parts, strict=True)}


def first_stops(record: CampaignRecord) -> dict[int, np.void]:
    """The forecast row of the first decision to stop of each counted attempt, by candidate number.

    In mode `observe` the decision was recorded and not carried out.
    """
    rows = counted(record, record.forecasts)
    rows = rows[rows["action"] == b"stop"]
    return {number: part[0] for number, part in by_candidate(rows).items()}


def end_times(record: CampaignRecord) -> dict[int, float]:
    """When each candidate ended (seconds since the Unix epoch), by number.

    The trainer's word; where its outcome was lost with the rank, the time of the last observation.
    """
    times = {number: float(rows["time_s"].max()) for number, rows in curves(record).items()}
    ended = counted(record, record.outcomes)
    times.update(_pairs(ended["candidate"], ended["ended_time"]))
    return times


def by_trainer(rows: Rows) -> dict[tuple[int, int], Rows]:
    """Attempt rows split by trainer (group, rank), each in order of the time the trainer left."""
    ordered = rows[np.lexsort((rows["left_time"], rows["rank"], rows["group"]))]
    keys = np.stack((ordered["group"], ordered["rank"]), axis=1)
    changes = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
    parts = np.split(ordered, changes) if len(ordered) else []
    return {(int(part["group"][0]), int(part["rank"][0])): part for part in parts}


def _between(numbers: NDArray[Any], highest: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (numbers >= 0) & (numbers <= highest)
    return inside


def _pairs(numbers: NDArray[Any], values: NDArray[Any]) -> Iterable[tuple[int, float]]:
    finite = np.isfinite(values)
    return zip(numbers[finite].tolist(), values[finite].tolist(), strict=True)
