"""Values and small disks that the tests of records share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st

from hpc_nas.errors import RecordError
from hpc_nas.records.json_lines import JsonLines
from hpc_nas.records.ledger import (
    AttemptStarted,
    CampaignClosed,
    CampaignOpened,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupStarted,
)
from hpc_nas.values import Candidate, Observation, Outcome, Reason, State

T = TypeVar("T")


def candidate(number: int) -> Candidate:
    return Candidate(
        number=number,
        seed=2**64 - 1 - number,
        parameters={"num_layers": 3, "learning_rate": 0.1 * (number + 1), "pool": "max", "bias": True},
        num_parameters=1000 + number,
        num_layers=4,
        macs=10**9 + number,
        redraws=2,
        beyond_limits=1,
    )


def observation(number: int, *, attempt: int = 0, epoch: float = 0.5) -> Observation:
    return Observation(
        candidate=number,
        attempt=attempt,
        epoch=epoch,
        val_accuracy=50.0 + epoch,
        val_loss=1.0 / epoch,
        train_accuracy=51.0 + epoch,
        train_loss=0.9 / epoch,
        learning_rate=0.01,
        train_s=0.25,
        validate_s=0.05,
        time_s=1.7e9 + epoch,
    )


def outcome(number: int, *, attempt: int = 0, epochs: float = 2.0) -> Outcome:
    return Outcome(
        candidate=number,
        attempt=attempt,
        state=State.STOPPED,
        reason=Reason.CONVERGED,
        estimate=88.5,
        spread=0.25,
        best_accuracy=87.0,
        epochs=epochs,
        message="stable for 3 forecasts",
    )


def same(left: object, right: object) -> bool:
    """Equality of values in which NaN equals NaN."""
    return repr(left) == repr(right)


def opened(time_s: float, *, resumed: bool = False) -> CampaignOpened:
    return CampaignOpened(
        host="node1",
        pid=42,
        hpc_nas_version="0.1.0",
        commit="abc",
        versions={"numpy": "2"},
        data={"num_train": 10},
        resumed=resumed,
        time_s=time_s,
    )


def finished_campaign() -> list[Event]:
    """One candidate, from drawing to its end."""
    return [
        opened(100.0),
        GroupStarted(group=0, time_s=101.0),
        CandidateDrawn(candidate=candidate(0), time_s=102.0),
        AttemptStarted(candidate=0, attempt=0, group=0, time_s=103.0),
        CandidateEnded(outcome=outcome(0), group=0, time_s=110.0),
        CampaignClosed(reason="complete", time_s=112.5),
    ]


NAN = math.nan


@st.composite
def mutated(draw: st.DrawFn, lines: list[bytes]) -> list[bytes]:
    """A journal's lines with some damage behind the header: doubled, swapped, missing, cut, or with another value."""
    place, other = (draw(st.integers(1, len(lines) - 1)) for _ in range(2))
    line = lines[place]
    how = draw(st.sampled_from(["twice", "swapped", "missing", "cut", "number", "type"]))
    if how == "twice":
        return [*lines[:place], line, *lines[place:]]
    if how == "swapped":
        lines = list(lines)
        lines[place], lines[other] = lines[other], line
        return lines
    if how == "missing":
        return [*lines[:place], *lines[place + 1 :]]
    if how == "cut":
        return [*lines[:place], line[: draw(st.integers(0, len(line) - 1))], *lines[place + 1 :]]
    wild = ["NaN", "Infinity", "-Infinity", "-1", "1e308", "1e400", str(10**30), "0.5", "true", "null"]
    value = draw(st.sampled_from(wild if how == "number" else ['"text"', "[]", "{}", "null", "[1]"]))
    values = list(re.finditer(rb'(?<=:)(-?[0-9][0-9.e+-]*|"[^"]*"|null|true|false|NaN)', line))
    found = draw(st.sampled_from(values))
    return [*lines[:place], line[: found.start()] + value.encode() + line[found.end() :], *lines[place + 1 :]]


def events_or_refusal(path: Path, *, read: Callable[[Path], JsonLines[T]], match: str) -> tuple[T, ...]:
    """What is read; nothing where it is refused, in these words."""
    try:
        return read(path).events
    except RecordError as error:
        if re.search(match, str(error)) is None:
            raise
        return ()
