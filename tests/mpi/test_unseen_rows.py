"""A group on a file system that does not show a file's new rows: they are judged all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.rank_file import read_rank_file
from hpc_nas.values import State
from tests.mpi.harness import GroupHarness, candidate, configure
from tests.unit.group.test_rows import hide

pytestmark = pytest.mark.mpi

EPOCHS = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]


def test_candidates_are_judged_by_rows_that_no_file_shows(tmp_path: Path) -> None:
    with GroupHarness(tmp_path / "run", configure()) as group:
        files = GroupFiles(run_directory=group.directory, group=0)
        for rank in range(2):
            hide(files.rank_file_path(rank))
        group.assign(candidate(0), candidate(1))
        outcomes = group.until_ended(2)
        log = group.log
    assert [outcome.state for outcome in outcomes] == [State.FINISHED, State.FINISHED]
    assert [group.progress_of(number) for number in range(2)] == [EPOCHS, EPOCHS]
    written = [read_rank_file(path).tables["observations"] for path in map(files.rank_file_path, range(2))]
    best = {int(rows["candidate"][0]): float(rows["val_accuracy"].max()) for rows in written}
    assert {outcome.candidate: outcome.best_accuracy for outcome in outcomes} == best
    assert len(read_rank_file(files.rank_file_path(2)).tables["forecasts"]) == 2 * len(EPOCHS)
    assert log.count("does not show its rows while they are written") == 2
