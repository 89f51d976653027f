"""The history's journal: every event comes back, in order, whatever killed its writer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_helpers import events_or_refusal, mutated, same

from estimator import Described, Ended, Event, History, Observed, Resumed, Standing
from hpc_nas.errors import RecordError
from hpc_nas.records.history_journal import HistoryWriter, read_history
from tests.disks import tiny_disk

FEW: list[Event] = [
    Observed(candidate=0, epoch=0.5, val_accuracy=40.0, val_loss=math.inf, train_loss=0.1 + 0.2),
    Observed(candidate=1, epoch=0.5, val_accuracy=41.0),
    Described(candidate=2, features=(("layers", 3.0), ("macs", 1e6))),
    Ended(candidate=0, standing=Standing.LOST),
    Ended(candidate=1, standing=Standing.PAUSED),
    Resumed(candidate=1),
    Ended(candidate=1, standing=Standing.FINISHED, audited=True),
]


def write(path: Path, events: list[Event], *, num_bytes: int = 0) -> None:
    with HistoryWriter(path, num_bytes=num_bytes) as writer:
        writer.append(events)


@given(
    st.lists(st.floats(0.0, 100.0), max_size=5),
    st.floats(),
    st.dictionaries(st.text(max_size=5), st.integers()),
)
def test_events_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, accuracies: list[float], loss: float, features: dict[str, int]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "history.jsonl"
    numbers = tuple((name, float(value)) for name, value in features.items())
    events: list[Event] = [
        Described(candidate=2**31, features=numbers),
        *(
            Observed(candidate=2**31, epoch=0.1 * (1 + place), val_accuracy=accuracy, val_loss=loss)
            for place, accuracy in enumerate(accuracies)
        ),
    ]
    write(path, events)
    assert same(list(read_history(path).events), events)


def test_history_of_every_version_can_be_made_again(tmp_path: Path) -> None:
    write(tmp_path / "history.jsonl", FEW)
    events = read_history(tmp_path / "history.jsonl").events
    for version in range(len(FEW) + 1):
        assert same(History(events[:version]).events, History(FEW[:version]).events)
    assert (tmp_path / "history.jsonl").read_bytes().splitlines()[0] == (
        b'{"kind": "hpc-nas history", "schema_version": 2}'
    )


def test_candidates_of_earlier_campaigns_have_numbers_below_zero(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    earlier = [replace(event, candidate=-1 - event.candidate) for event in FEW]
    write(path, earlier)
    assert same(list(read_history(path).events), earlier)


def test_nothing_is_there_before_it_is_flushed_and_all_of_it_after(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path, num_bytes=0) as writer:
        writer.append(FEW[:2])
        assert read_history(path).events == ()
        writer.flush()
        assert same(read_history(path).events, tuple(FEW[:2]))


@given(st.data())
def test_writer_killed_at_any_byte_loses_the_last_line_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "history.jsonl"
    write(path, FEW)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    journal = read_history(path)
    count = max(0, whole[:cut].count(b"\n") - 1)
    assert same(journal.events, tuple(FEW[:count]))
    assert (journal.damaged_tail is not None) == (cut > 0 and whole[cut - 1 : cut] != b"\n")
    # Whoever goes on writes what was lost anew, and the file is as if nothing had happened.
    write(path, FEW[count:], num_bytes=journal.num_bytes)
    assert path.read_bytes() == whole


def test_damage_before_the_last_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    write(path, FEW)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'{"event": "observed"}\n', *lines[2:]]))
    with pytest.raises(RecordError, match="line 3: damaged"):
        read_history(path)


@pytest.mark.parametrize(
    "content",
    [b"hello", *(b'{"kind": "hpc-nas history", "schema_version": %d}\n' % version for version in (1, 7))],
)
def test_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="no history of schema version 2"):
        read_history(path)
    with pytest.raises(RecordError, match="can't be read"):
        read_history(tmp_path / "nothing.jsonl")


def test_full_disk_leaves_what_was_written_before(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=1 << 16) as disk:
        path = disk / "history.jsonl"
        writer = HistoryWriter(path, num_bytes=0)
        writer.append(FEW)
        writer.flush()
        writer.append(FEW * 1000)
        with pytest.raises(RecordError, match="can't be written"):
            writer.flush()
        assert same(read_history(path).events, tuple(FEW))
        with pytest.raises(RecordError, match="can't be written"):
            writer.close()


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5, 6, 7])
def test_line_that_stands_twice_is_named(tmp_path: Path, place: int) -> None:
    path = tmp_path / "history.jsonl"
    write(path, [*FEW, Observed(candidate=3, epoch=0.5, val_accuracy=1.0)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[: place + 1], *lines[place:]]))
    with pytest.raises(RecordError, match=rf"history\.jsonl, line {place + 2}: damaged"):
        read_history(path)


@given(st.data())
def test_mutated_history_is_read_or_refused_with_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "history.jsonl"
    write(path, FEW)
    path.write_bytes(b"".join(data.draw(mutated(path.read_bytes().splitlines(keepends=True)))))
    events = events_or_refusal(path, read=read_history, match=r"history\.jsonl, line \d+: damaged")
    History(events)  # what is read can be taken in
