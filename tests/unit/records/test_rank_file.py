"""Rank files: the values that cross come back as they were."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_helpers import NAN, observation, outcome, same

import hpc_nas
from estimator import Action, Decision, Forecast
from hpc_nas.records import layout
from hpc_nas.records.rank_file import (
    EstimatorFile,
    TrainerFile,
    observation_from_row,
    outcome_from_row,
    read_rank_file,
    string,
    text,
)
from hpc_nas.values import Outcome, Reason, State


def test_observations_come_back(tmp_path: Path) -> None:
    path = tmp_path / "rank-00000.h5"
    first = observation(3)
    second = first.model_copy(update={"epoch": 1.0, "train_loss": NAN, "val_loss": math.inf, "carried": True})
    with TrainerFile(path, group=1, rank=0, device="cuda:0") as file:
        assert file.path == path
        assert [file.append_observation(value) for value in (first, second)] == [0, 1]
    rows = read_rank_file(path).tables["observations"]
    assert same([observation_from_row(row) for row in rows], [first, second])


def test_attempts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "rank-00000.h5"
    values = {
        "candidate": 7,
        "attempt": 1,
        "received_time": 10.0,
        "first_batch_time": 11.0,
        "signal_time": NAN,
        "left_time": 12.0,
        "start_epoch": 1.5,
        "start_batch": 27,
        "epochs": 2.25,
        "batches": 9,
        "train_s": 0.5,
        "validate_s": 0.25,
        "last_batch_s": 0.125,
        "state": State.FAILED,
        "reason": Reason.OUT_OF_MEMORY,
        "message": "CUDA out of memory",
    }
    with TrainerFile(path, group=1, rank=0, device="cpu") as file:
        file.append_attempt(**values)  # type: ignore[arg-type]
    row = read_rank_file(path).tables["attempts"][0]
    found = {name: string(row[name]) if row[name].dtype.kind == "S" else row[name].item() for name in values}
    assert same(found, {name: str(v) if isinstance(v, str) else v for name, v in values.items()})
    assert tuple(values) == layout.ATTEMPT.names


def test_forecasts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "rank-00002.h5"
    none_yet = Decision(action=Action.GO)
    forecast = Forecast(
        value=90.5, spread=0.5, at_max_epochs=90.0, num_points=4, low=88.0, a=91.0, b=1.5, c=2.0
    )
    stop = Decision(
        action=Action.STOP, reason=Reason.CONVERGED, estimate=90.25, spread=0.5, forecast=forecast
    )
    with EstimatorFile(path, group=1, rank=2, device="none") as file:
        for epoch, decision in ((0.5, none_yet), (2.0, stop)):
            file.append_forecast(
                candidate=5,
                attempt=0,
                epoch=epoch,
                decision=decision,
                history_version=7,
                fit_s=0.125,
                read_lag_s=0.25,
                time_s=100.0,
            )
    rows = read_rank_file(path).tables["forecasts"]
    shown = (4, 91.0, 1.5, 2.0, 90.5, 0.5, 88.0, *forecast.interval_90[1:])
    expected = [
        (5, 0, 0.5, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, b"go", b"", NAN, 7, 0.125, 0.25, 100.0),
        (5, 0, 2.0, *shown, b"stop", b"converged", 90.25, 7, 0.125, 0.25, 100.0),
    ]
    assert same(rows.tolist(), expected)


@pytest.mark.parametrize(
    "value",
    [
        outcome(4),
        Outcome(candidate=1, attempt=0, state=State.CANCELLED, reason=Reason.CANCELLED),
        Outcome(candidate=1, attempt=2, state=State.FAILED, reason=Reason.BUILD, message="größer"),
    ],
)
def test_outcomes_come_back(tmp_path: Path, value: Outcome) -> None:
    path = tmp_path / "rank-00002.h5"
    with EstimatorFile(path, group=1, rank=2, device="none") as file:
        file.append_outcome(value, trainer=1, decided_time=1.5, signal_time=NAN, ended_time=2.5)
    row = read_rank_file(path).tables["outcomes"][0]
    assert outcome_from_row(row) == value
    assert same([row[name].item() for name in ("trainer", "decided_time", "ended_time")], [1, 1.5, 2.5])


def test_a_file_says_who_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "rank-00000.h5"
    TrainerFile(path, group=4, rank=1, device="cuda:3").close()
    attributes = read_rank_file(path).attributes
    assert isinstance(attributes.pop("created_time"), float)
    assert attributes == {
        "schema_version": 4,
        "kind": "trainer",
        "group": 4,
        "rank": 1,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "device": "cuda:3",
        "hpc_nas_version": hpc_nas.__version__,
    }


@given(st.text(max_size=300))
def test_text_is_cut_within_its_width_and_stays_valid(value: str) -> None:
    cut = text(value, layout.TEXT)
    width = np.dtype(layout.TEXT).itemsize
    assert len(cut) <= width
    whole = value.encode(errors="replace").decode()
    assert whole.startswith(cut.decode())
    assert cut.decode() == whole or len(cut) > width - 4
