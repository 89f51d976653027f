"""A group's rank files are its own: one that vanishes loses no row, and a stranger's changes nobody's curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.ownership import foreign_number
from hpc_nas.records.rank_file import RankFileContent, read_rank_file
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.values import Observation, State
from tests.mpi.harness import GroupHarness, candidate, configure

pytestmark = pytest.mark.mpi

EPOCHS = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]


def contents(group: GroupHarness) -> list[RankFileContent]:
    return [read_rank_file(group.directory.rank_file_path(0, rank)) for rank in range(3)]


def test_files_that_vanish_under_their_writers_lose_no_row(tmp_path: Path) -> None:
    """First while nobody trains, then again while both trainers are in the middle of a candidate."""
    with GroupHarness(tmp_path / "run", configure()) as group:
        paths = [group.directory.rank_file_path(0, rank) for rank in range(3)]
        group.assign(candidate(0), candidate(1))
        group.until_ended(2)
        for path in paths:
            path.unlink()
        group.assign(candidate(2), candidate(3))
        group.until(lambda: all(group.progress_of(number) for number in (2, 3)))
        stranger = group.directory.group_dir(0) / "stranger"
        stranger.write_bytes(b"somebody else's")
        stranger.rename(paths[0])
        outcomes = group.until_ended(4)
        told = [group.progress_of(number) for number in range(4)]
    assert [outcome.state for outcome in outcomes] == [State.FINISHED] * 4
    assert told == [EPOCHS] * 4
    tables = {name: rows for content in contents(group) for name, rows in content.tables.items()}
    observed = [row for content in contents(group)[:2] for row in content.tables["observations"].tolist()]
    assert sorted(row[:3] for row in observed) == [(n, 0, epoch) for n in range(4) for epoch in EPOCHS]
    assert sorted(tables["outcomes"]["candidate"].tolist()) == [0, 1, 2, 3]
    assert len(tables["forecasts"]) == 4 * len(EPOCHS)
    assert group.log.count("it is made anew with all its rows") >= 3


def test_stranger_with_a_candidates_number_is_judged_apart(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure()) as group:
        path = group.directory.group_dir(0) / "theirs.h5"
        tables = {"observations": layout.OBSERVATION}
        with RowFileWriter(path, tables=tables, attributes={"kind": "theirs"}) as file:
            for epoch in EPOCHS:
                row = Observation(
                    candidate=0,
                    attempt=0,
                    epoch=epoch,
                    val_accuracy=98.9,
                    val_loss=0.1,
                    train_accuracy=98.9,
                    train_loss=0.1,
                    learning_rate=0.1,
                    train_s=0.1,
                    validate_s=0.1,
                    time_s=1.7e9,
                )
                file.append("observations", tuple(row.model_dump().values()))
            foreign = foreign_number(0, group=0, name="theirs.h5")
            group.until(lambda: judged(group, foreign) == EPOCHS)  # before the campaign's own begins
            group.assign(candidate(0))
            (outcome,) = group.until_ended(1)
            told = {message.candidate for message in group.heard if hasattr(message, "epoch")}
    measured = [
        row["val_accuracy"] for content in contents(group)[:2] for row in content.tables["observations"]
    ]
    assert outcome.best_accuracy == max(measured) < 98.9
    assert (outcome.state, outcome.epochs) == (State.FINISHED, 4.0)
    assert told == {0}
    assert group.progress_of(0) == EPOCHS
    assert judged(group, 0) == EPOCHS


def judged(group: GroupHarness, number: int | None) -> list[float]:
    """The epochs at which the estimator rank has looked at this candidate."""
    try:
        rows = read_rank_file(group.directory.rank_file_path(0, 2)).tables["forecasts"]
    except RecordError:
        return []
    return [float(epoch) for epoch in rows["epoch"][rows["candidate"] == number]]
