"""Whose a row is: rows of an attempt count from its own trainer's file alone, foreign candidates stand apart."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_helpers import observation, same
from run_helpers import append, finished_run, train

from estimator import Action
from hpc_nas.records import layout
from hpc_nas.records.archive import assemble, load_record, write_archive
from hpc_nas.records.ledger import GroupReported
from hpc_nas.records.ownership import FIRST_FOREIGN, foreign_number, is_foreign
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.records.row_checks import _ACTIONS
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.report.rows import curves, ranking
from hpc_nas.report.summary import summarize


def foreign_file(path: Path, *numbers: int, accuracy: float = 98.9) -> None:
    tables = {"observations": layout.OBSERVATION}
    with RowFileWriter(path, tables=tables, attributes={"kind": "theirs"}) as file:
        for number in numbers:
            for epoch in (0.5, 1.0):
                row = observation(number, epoch=epoch).model_copy(update={"val_accuracy": accuracy})
                file.append("observations", tuple(row.model_dump().values()))


def figures(directory: RunDirectory) -> str:
    return summarize(assemble(directory)).to_json()


@pytest.mark.parametrize("name", ["theirs.h5", "aaa.h5", "rank-00007.h5", "rank-00002.h5"])
def test_foreign_file_changes_no_figure_of_the_campaign(tmp_path: Path, name: str) -> None:
    directory = finished_run(tmp_path / "run")
    before = figures(directory)
    foreign_file(directory.group_dir(0) / name, 0, 7)
    assert figures(directory) == before
    record = assemble(directory)
    assert curves(record).keys() == {0}
    assert ranking(record)["number"].tolist() == [0]
    numbers = sorted(foreign_number(number, group=0, name=name) or 0 for number in (0, 7))
    assert record.foreign["number"].tolist() == numbers
    assert set(record.foreign["state"].tolist()) == {b"foreign"}
    assert np.isnan(record.foreign["estimate"]).all()
    assert record.foreign["best_accuracy"].tolist() == [98.9, 98.9]
    assert set(record.foreign["message"].tolist()) == {f"group-00000/{name}".encode()}


def test_foreign_candidates_stand_in_the_archive_apart_from_the_campaigns(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    foreign_file(directory.group_dir(0) / "theirs.h5", 0)
    record = assemble(directory)
    write_archive(record, directory.archive_path)
    found = load_record(directory.path)
    assert same(found.foreign.tolist(), record.foreign.tolist())
    assert found.parameters == record.parameters
    assert found.candidates["number"].tolist() == [0]
    with h5py.File(directory.archive_path, "r") as file:
        assert file["candidates"]["number"].tolist() == [0, int(record.foreign["number"][0])]
        assert len(file["parameters"]) == 2


def test_trainer_file_of_a_group_that_has_fewer_trainers_is_foreign(tmp_path: Path) -> None:
    """A copy of another run's file, with a name that fits and all that it says of itself."""
    directory = finished_run(tmp_path / "run")
    append(directory, [GroupReported(group=0, host="n", pid=7, num_trainers=1, time_s=200.0)])
    before = figures(directory)
    with TrainerFile(directory.rank_file_path(0, 5), group=0, rank=5, device="cpu") as file:
        train(file, 0, attempt=0, epochs=[0.5, 1.0, 2.0, 9.0])
    assert figures(directory) == before
    assert len(assemble(directory).foreign) == 1


def test_rows_of_an_attempt_in_another_trainers_or_groups_file_are_told_and_not_counted(
    tmp_path: Path,
) -> None:
    directory = finished_run(tmp_path / "run")
    before = assemble(directory)
    directory.create_group_dir(1)
    others = [directory.rank_file_path(0, 2), directory.rank_file_path(1, 0)]
    for group, path in enumerate(others):
        with TrainerFile(path, group=group, rank=2 * (1 - group), device="cpu") as file:
            train(file, 0, attempt=0, epochs=[3.0, 9.0])
    record = assemble(directory)
    assert record.observations.tolist() == before.observations.tolist()
    assert [text.partition(": ")[2].partition(" (")[0] for text in record.problems] == [
        "2 of 2 rows are of attempts that are another trainer's",
        "2 of 2 rows are of attempts that are another group's",
    ]


@given(st.integers(), st.integers(0, 99999), st.text(max_size=20))
def test_foreign_numbers_are_those_of_no_other_candidate(number: int, group: int, name: str) -> None:
    found = foreign_number(number, group=group, name=name)
    assert (found is None) == (not 0 <= number < 2**30)
    if found is not None:
        assert -(2**63) <= found <= FIRST_FOREIGN
        assert is_foreign(found)
        assert found == foreign_number(number, group=group, name=name)
    assert not any(map(is_foreign, (0, 10**9, -1, -(10**9))))


def test_actions_are_those_of_the_estimator() -> None:
    assert set(_ACTIONS) == set(Action)
