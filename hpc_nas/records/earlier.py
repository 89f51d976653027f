"""What earlier campaigns found out: taken from their records, and kept by the campaign that begins with it.

`warm_start.json` is written before the first candidate is drawn and never again; the campaign that goes on reads
it, so the earlier records may change or go.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from hpc_nas.errors import RecordError
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.layout import Rows
from hpc_nas.values import Candidate, Outcome, Reason, State

__all__ = ["Earlier", "EarlierCurve", "Knowledge", "earlier_candidates", "read_knowledge"]

_MEASURED = (State.FINISHED, State.STOPPED)
_OF_A_CANDIDATE = ("number", "seed", "num_parameters", "num_layers", "macs", "redraws", "beyond_limits")


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class EarlierCurve(_Kept):
    """The observations of the attempt that counts, column by column; NaN where not measured."""

    epoch: tuple[float, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()
    train_loss: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()


class Earlier(_Kept):
    """A finished or stopped candidate of an earlier campaign, its number the one it had there."""

    campaign: str  # the path that was named
    candidate: Candidate
    outcome: Outcome
    audited: bool
    curve: EarlierCurve


class Knowledge(_Kept):
    """All that a campaign begins with, in the order in which it was learnt."""

    kind: Literal["hpc-nas warm start"] = "hpc-nas warm start"
    schema_version: Literal[1] = 1
    candidates: tuple[Earlier, ...] = ()


def read_knowledge(path: Path) -> Knowledge:
    """What a campaign has kept. Raises RecordError for a file that is missing, cut or foreign."""
    try:
        return Knowledge.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}; restore it from a copy") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordError(
            f"{path}: does not hold what a campaign of this version began with: {where}: {first['msg']}; "
            "restore it from a copy"
        ) from None


def earlier_candidates(record: CampaignRecord, *, campaign: str) -> list[Earlier]:
    """The finished and stopped candidates of a record that came from the path `campaign`, in order of number."""
    curves = _curves(record.observations)
    found = []
    for row, parameters in zip(record.candidates, record.parameters, strict=True):
        state = State(_text(row["state"]))
        if state not in _MEASURED:
            continue
        number = int(row["number"])
        attempt, observations = curves.get(number, (0, record.observations[:0]))
        found.append(
            Earlier(
                campaign=campaign,
                candidate=Candidate(
                    parameters=parameters, **{name: int(row[name]) for name in _OF_A_CANDIDATE}
                ),
                outcome=_outcome(row, state=state, attempt=attempt),
                audited=bool(row["audited"]),
                curve=EarlierCurve(
                    **{name: tuple(observations[name].tolist()) for name in EarlierCurve.model_fields}
                ),
            )
        )
    return found


def _outcome(row: Any, *, state: State, attempt: int) -> Outcome:
    return Outcome(
        candidate=int(row["number"]),
        attempt=attempt,
        state=state,
        reason=Reason(_text(row["reason"])),
        estimate=_known(row["estimate"]),
        spread=_known(row["spread"]),
        best_accuracy=_known(row["best_accuracy"]),
        epochs=float(row["epochs"]),
        message=_text(row["message"]),
    )


def _curves(observations: Rows) -> dict[int, tuple[int, Rows]]:
    """By candidate, its last attempt that observed anything, and these observations in order of epoch."""
    ordered = observations[
        np.lexsort((observations["epoch"], observations["attempt"], observations["candidate"]))
    ]
    numbers, starts = np.unique(ordered["candidate"], return_index=True)
    curves = {}
    for number, rows in zip(numbers.tolist(), np.split(ordered, starts[1:]), strict=False):
        attempt = int(rows["attempt"][-1])
        curves[number] = attempt, rows[rows["attempt"] == attempt]
    return curves


def _text(field: bytes) -> str:
    return field.decode("utf-8", errors="replace")


def _known(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
