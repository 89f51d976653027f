"""Rank files: what one rank of one worker group records. Trainers write observations, the estimator forecasts."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import hpc_nas
from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.layout import Attribute, Rows
from hpc_nas.records.row_checks import possible
from hpc_nas.records.row_file import RowFileReader, RowFileWriter
from hpc_nas.values import Observation, Outcome, Reason, State

if TYPE_CHECKING:
    from estimator import Decision, Forecast


class _RankFile:
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str,
        tables: Mapping[str, np.dtype[Any]],
        group: int,
        rank: int,
        device: str,
    ):
        self._writer = RowFileWriter(
            path,
            tables=tables,
            attributes={
                "schema_version": layout.SCHEMA_VERSION,
                "kind": kind,
                "group": group,
                "rank": rank,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "device": device,
                "created_time": time.time(),
                "hpc_nas_version": hpc_nas.__version__,
            },
        )

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._writer.path

    def close(self) -> None:
        """Close the file; every row is on it already."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class TrainerFile(_RankFile):
    """What a trainer rank records. Every append returns the row's index and raises RecordError."""

    def __init__(self, path: str | os.PathLike[str], *, group: int, rank: int, device: str):
        super().__init__(
            path, kind="trainer", tables=layout.TRAINER_TABLES, group=group, rank=rank, device=device
        )

    def append_observation(self, observation: Observation) -> int:
        """Record one validation."""
        row = tuple(getattr(observation, name) for name in _OBSERVATION_FIELDS)
        return self._writer.append("observations", row)

    def append_attempt(
        self,
        *,
        candidate: int,
        attempt: int,
        received_time: float,
        first_batch_time: float,
        signal_time: float,
        left_time: float,
        start_epoch: float,
        start_batch: int,
        epochs: float,
        batches: int,
        train_s: float,
        validate_s: float,
        last_batch_s: float,
        state: State,
        reason: Reason,
        message: str = "",
    ) -> int:
        """Record one execution of a candidate, once the trainer has left it; NaN where there is no such time.

        `start_epoch` and `start_batch` say where its checkpoint stood, 0 without one; `epochs` counts from the
        candidate's start, `batches` from this attempt's.
        """
        return self._writer.append(
            "attempts",
            (
                candidate,
                attempt,
                received_time,
                first_batch_time,
                signal_time,
                left_time,
                start_epoch,
                start_batch,
                epochs,
                batches,
                train_s,
                validate_s,
                last_batch_s,
                text(state, layout.WORD),
                text(reason, layout.WORD),
                text(message, layout.TEXT),
            ),
        )


class EstimatorFile(_RankFile):
    """What an estimator rank records. Every append returns the row's index and raises RecordError."""

    def __init__(self, path: str | os.PathLike[str], *, group: int, rank: int, device: str):
        super().__init__(
            path, kind="estimator", tables=layout.ESTIMATOR_TABLES, group=group, rank=rank, device=device
        )

    def append_forecast(
        self,
        *,
        candidate: int,
        attempt: int,
        epoch: float,
        decision: Decision,
        history_version: int,
        fit_s: float,
        read_lag_s: float,
        time_s: float,
        carried: bool = False,
    ) -> int:
        """Record what the estimator made of one observation, carried or its own, with the forecast or without one."""
        shown = _NO_FORECAST if decision.forecast is None else _figures(decision.forecast)
        return self._writer.append(
            "forecasts",
            (
                candidate,
                attempt,
                epoch,
                *shown,
                text(decision.action, layout.WORD),
                text(layout.CARRIED if carried else decision.reason or "", layout.WORD),
                decision.estimate,
                history_version,
                fit_s,
                read_lag_s,
                time_s,
            ),
        )

    def append_outcome(
        self, outcome: Outcome, *, trainer: int, decided_time: float, signal_time: float, ended_time: float
    ) -> int:
        """Record how an attempt ended; NaN for a decision or a signal that never was."""
        return self._writer.append(
            "outcomes",
            (
                outcome.candidate,
                outcome.attempt,
                trainer,
                text(outcome.state, layout.WORD),
                text(outcome.reason, layout.WORD),
                _nan_if_none(outcome.estimate),
                _nan_if_none(outcome.spread),
                _nan_if_none(outcome.best_accuracy),
                outcome.epochs,
                decided_time,
                signal_time,
                ended_time,
                text(outcome.message, layout.TEXT),
            ),
        )


_OBSERVATION_FIELDS = tuple(layout.OBSERVATION.names or ())
_NO_FORECAST = (0, *[math.nan] * 7)


def _figures(forecast: Forecast) -> tuple[float, ...]:
    """The columns `num_points` to `high`."""
    points = forecast.num_points
    return points, forecast.a, forecast.b, forecast.c, forecast.value, forecast.spread, *forecast.interval_90


@dataclass(frozen=True, kw_only=True)
class RankFileContent:
    """A rank file as it was at one moment: the rows of every table, by name, that are sound and can be.

    `problems` says of which table how many rows are missing here.
    """

    attributes: dict[str, Attribute]
    tables: dict[str, Rows]
    problems: tuple[str, ...] = ()


def read_rank_file(path: str | os.PathLike[str]) -> RankFileContent:
    """Read a rank file, also one whose writer lives or was killed; what is damaged is left out and told.

    Raises RecordError where none of it can be read, and for a layout that is not ours.
    """
    problems = []
    tables = {}
    with RowFileReader(path) as reader:
        attributes = reader.attributes
        version = attributes.get("schema_version", layout.SCHEMA_VERSION)
        if version != layout.SCHEMA_VERSION:
            raise RecordError(
                f"{path}: schema version {version}, but this hpc-nas reads {layout.SCHEMA_VERSION}; "
                "use the version that wrote it"
            )
        # Last table first: a row on how an attempt ended is written after the rows that it sums up, so that
        # reading it first never finds it without them.
        for name in reversed(reader.tables):
            check_fields(reader, name)
            rows, num_damaged = reader.read_sound(name)
            can_be = possible(name, rows)
            tables[name] = rows[can_be]
            if missing := num_damaged + int(np.count_nonzero(~can_be)):
                total = len(rows) + num_damaged
                problems.append(
                    f"{path}: {missing} of {total} rows of table {name!r} are lost: damaged, or zeros where a page "
                    "was lost; they are not counted"
                )
        return RankFileContent(
            attributes=attributes,
            tables={name: tables[name] for name in reader.tables},
            problems=tuple(problems),
        )


def check_fields(reader: RowFileReader, table: str) -> None:
    """Raises RecordError where a table with a name of ours has other fields than ours."""
    wanted = _TABLES.get(table)
    if wanted is None or reader.dtype(table) == wanted:
        return
    found = reader.dtype(table)
    missing = sorted({*(wanted.names or ())} - {*(found.names or ())})
    what = f"no {missing[0]!r}" if missing else f"the fields {found}"
    raise RecordError(f"{reader.path}: table {table!r} has {what}; see docs/records.md for its fields")


_TABLES = {**layout.TRAINER_TABLES, **layout.ESTIMATOR_TABLES}


def observation_from_row(row: np.void) -> Observation:
    """The observation that a row holds. Raises pydantic.ValidationError for one that can't be."""
    values = {name: row[name].item() for name in _OBSERVATION_FIELDS}
    return Observation(**values | {"carried": bool(values["carried"])})


def outcome_from_row(row: np.void) -> Outcome:
    """The outcome that a row holds. Raises ValueError for one that can't be."""
    return Outcome(
        candidate=int(row["candidate"]),
        attempt=int(row["attempt"]),
        state=State(string(row["state"])),
        reason=Reason(string(row["reason"])),
        estimate=none_if_nan(row["estimate"]),
        spread=none_if_nan(row["spread"]),
        best_accuracy=none_if_nan(row["best_accuracy"]),
        epochs=float(row["epochs"]),
        message=string(row["message"]),
    )


def text(value: str, width: str) -> bytes:
    """UTF-8 cut to a field's width (`layout.WORD`, `layout.TEXT`), never within a character."""
    return value.encode(errors="replace")[: np.dtype(width).itemsize].decode(errors="ignore").encode()


def string(field: bytes) -> str:
    """A text field as a string."""
    return bytes(field).decode(errors="replace")


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value


def none_if_nan(value: float) -> float | None:
    """A figure of a row, None where it does not exist."""
    return None if math.isnan(value) else float(value)
