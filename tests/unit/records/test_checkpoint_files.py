"""Names of checkpoints: written and read back, ordered by how far they are, removed with what lies beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc_nas.errors import RecordError
from hpc_nas.records.checkpoint_files import (
    CheckpointName,
    find_checkpoints,
    latest_checkpoint,
    remove_checkpoints,
    set_aside,
)

counts = st.integers(0, 10**10)


def name(candidate: int, *, batches: int, attempt: int = 0) -> CheckpointName:
    return CheckpointName(candidate=candidate, batches=batches, attempt=attempt)


def lay(directory: Path, *names: CheckpointName | str) -> None:
    for each in names:
        (directory / str(each)).write_bytes(b"x")


def lying(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


@given(candidate=counts, batches=counts, attempt=counts)
def test_a_name_says_what_went_into_it(candidate: int, batches: int, attempt: int) -> None:
    written = CheckpointName(candidate=candidate, batches=batches, attempt=attempt)
    assert CheckpointName.parse(str(written)) == written


def test_a_name_is_readable() -> None:
    assert str(name(12, attempt=3, batches=540)) == "candidate-00012-attempt-003-batch-00000540.pt"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate-00012-attempt-003-batch-00000540.pt.unusable",
        ".candidate-00012-attempt-003-batch-00000540.pt.n1-77.tmp",
        "../candidate-00012-attempt-003-batch-00000540.pt",
        "candidate-12-attempt-3-batch-540.pt",
        "candidate-0001x-attempt-003-batch-00000540.pt",
    ],
)
def test_no_other_name_is_a_checkpoint(text: str) -> None:
    assert CheckpointName.parse(text) is None


def test_the_latest_has_the_most_batches_then_the_higher_attempt(tmp_path: Path) -> None:
    further, again = name(1, batches=200, attempt=0), name(1, batches=200, attempt=3)
    lay(tmp_path, name(1, batches=90, attempt=5), further, again, name(2, batches=900), "other.pt")
    assert latest_checkpoint(tmp_path, candidate=1) == again
    assert latest_checkpoint(tmp_path, candidate=3) is None
    assert find_checkpoints(tmp_path) == [
        name(1, batches=90, attempt=5),
        further,
        again,
        name(2, batches=900),
    ]


def test_numbers_beyond_their_width_still_sort_as_numbers(tmp_path: Path) -> None:
    lay(tmp_path, name(1, batches=99_999_999), name(1, batches=100_000_000))
    assert latest_checkpoint(tmp_path, candidate=1) == name(1, batches=100_000_000)


def test_where_there_is_no_directory_there_is_nothing(tmp_path: Path) -> None:
    assert find_checkpoints(tmp_path / "none") == []
    assert latest_checkpoint(tmp_path / "none", candidate=0) is None
    remove_checkpoints(tmp_path / "none", candidate=0)
    set_aside(tmp_path / "none" / str(name(0, batches=1)))


def test_older_ones_go_and_later_and_other_ones_stay(tmp_path: Path) -> None:
    old, same, new = name(1, batches=10), name(1, batches=50, attempt=0), name(1, batches=50, attempt=1)
    later, other = name(1, batches=60), name(2, batches=1)
    torn = f".{old}.n1-77.tmp"
    lay(tmp_path, old, same, new, later, other, torn)
    remove_checkpoints(tmp_path, candidate=1, before=new)
    assert lying(tmp_path) == {str(new), str(later), str(other), torn}


def test_with_all_of_a_candidate_go_its_torn_and_unusable_ones(tmp_path: Path) -> None:
    kept = [
        name(2, batches=5),
        f".{name(2, batches=6)}.n1-77.tmp",
        f"{name(2, batches=4)}.unusable",
        "notes.txt",
    ]
    lay(tmp_path, name(1, batches=5), name(1, batches=7, attempt=1), *kept)
    lay(tmp_path, f".{name(1, batches=8)}.n1-77.tmp", f"{name(1, batches=3)}.unusable")
    remove_checkpoints(tmp_path, candidate=1)
    assert lying(tmp_path) == {str(each) for each in kept}


def test_one_that_is_set_aside_is_found_no_more_but_kept(tmp_path: Path) -> None:
    bad, older = name(1, batches=50), name(1, batches=10)
    lay(tmp_path, bad, older)
    set_aside(tmp_path / str(bad))
    set_aside(tmp_path / str(name(1, batches=51)))  # is not there
    assert latest_checkpoint(tmp_path, candidate=1) == older
    assert lying(tmp_path) == {str(older), f"{bad}.unusable"}


def test_a_directory_that_can_t_be_read_is_told_and_harms_no_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing is done by whoever trains, or by a thread that has more to write: it must not end them."""
    lay(tmp_path, name(0, batches=1))

    def stale(path: Path) -> list[str]:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "listdir", stale)
    with pytest.raises(RecordError, match="can't be read: Stale file handle; what it holds is intact"):
        latest_checkpoint(tmp_path, candidate=0)
    remove_checkpoints(tmp_path, candidate=0)
    remove_checkpoints(tmp_path, candidate=0, before=name(0, batches=5))
    monkeypatch.undo()
    assert lying(tmp_path) == {str(name(0, batches=1))}
