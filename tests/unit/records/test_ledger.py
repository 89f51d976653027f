"""The ledger: events come back, a cut last line is dropped, and nothing else is forgiven."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_helpers import candidate, events_or_refusal, finished_campaign, mutated, opened, outcome, same

from hpc_nas.campaign.state import CampaignState
from hpc_nas.errors import RecordError
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CampaignClosed,
    CampaignOpened,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupEnded,
    GroupReported,
    LedgerWriter,
    NodeExcluded,
    ResultIgnored,
    SpaceExhausted,
    read_ledger,
)
from hpc_nas.values import Outcome, Reason, State
from tests.disks import tiny_disk

ALL_KINDS: list[Event] = [
    *finished_campaign(),
    GroupReported(group=0, host="n", pid=7, num_trainers=2, time_s=1.0),
    CandidateDrawn(candidate=candidate(1), time_s=1.0),
    SpaceExhausted(num_candidates=2, time_s=1.0),
    AttemptStarted(candidate=1, attempt=0, group=0, time_s=1.0),
    AttemptLost(candidate=1, attempt=0, group=0, message="died", charged=True, quarantined=False, time_s=1.0),
    ResultIgnored(outcome=outcome(0), group=1, why="stale attempt", time_s=1.0),
    AttemptStarted(
        candidate=1,
        attempt=1,
        group=1,
        checkpoint="candidate-00001-attempt-000-batch-00000540.pt",
        time_s=1.0,
    ),
    AttemptInterrupted(
        candidate=1,
        attempt=1,
        group=1,
        how="drained",
        epochs=1.5,
        checkpoint=None,
        message="no room",
        time_s=1.0,
    ),
    NodeExcluded(host="node7", why="two groups died", time_s=1.0),
    GroupEnded(group=0, reason="zwölf Boxkämpfer\njagen Viktor", time_s=1.0),
]


def write(path: Path, events: list[Event]) -> bytes:
    with LedgerWriter(path) as ledger:
        for event in events:
            ledger.append(event)
    return path.read_bytes()


def test_every_event_comes_back(tmp_path: Path) -> None:
    data = write(tmp_path / "ledger.jsonl", ALL_KINDS)
    ledger = read_ledger(tmp_path / "ledger.jsonl")
    assert ledger.events == tuple(ALL_KINDS)
    assert (ledger.damaged_tail, ledger.num_bytes) == (None, len(data))
    assert data.splitlines()[0] == b'{"kind": "hpc-nas ledger", "schema_version": 2}'


@given(
    value=st.builds(
        Outcome,
        candidate=st.just(0),
        attempt=st.just(0),
        state=st.just(State.STOPPED),
        reason=st.just(Reason.RUNG),
        estimate=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        spread=st.none() | st.floats(min_value=0.0, allow_nan=False, allow_infinity=False),
        message=st.text(),
    )
)
def test_any_outcome_comes_back(value: Outcome, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    events = [
        CandidateDrawn(candidate=candidate(0), time_s=1.5),
        CandidateEnded(outcome=value, group=0, time_s=1.5),
    ]
    write(path, events)
    assert same(read_ledger(path).events, tuple(events))


def test_a_reopened_ledger_goes_on(tmp_path: Path) -> None:
    for event in ALL_KINDS:
        write(tmp_path / "ledger.jsonl", [event])
    assert read_ledger(tmp_path / "ledger.jsonl").events == tuple(ALL_KINDS)


def test_ledger_cut_at_any_length_loses_only_its_cut_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    events = [opened(1.0), CandidateDrawn(candidate=candidate(0), time_s=2.0)]
    data = write(path, events)
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        whole = data[:length].count(b"\n")
        tail = data[:length].rpartition(b"\n")[2].decode()
        ledger = read_ledger(path)
        assert ledger.events == tuple(events[: max(0, whole - 1)])
        assert ledger.damaged_tail == (tail or None)
        end = CampaignClosed(reason="resumed", time_s=3.0)
        write(path, [end])
        assert read_ledger(path).events == (*ledger.events, end)


@pytest.mark.parametrize("tail", [b"\0" * 100, b'{"event": "new', b'{"event": "unknown"}\n', b"\xff\xfe\n"])
def test_damaged_last_line_is_dropped_and_told(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    data = write(path, ALL_KINDS)
    path.write_bytes(data + tail)
    ledger = read_ledger(path)
    assert ledger.events == tuple(ALL_KINDS)
    assert ledger.damaged_tail == tail.decode(errors="replace")
    LedgerWriter(path).close()
    assert path.read_bytes() == data


@pytest.mark.parametrize("number", [2, 3, 5])
def test_damage_before_the_last_line_is_an_error_with_its_number(tmp_path: Path, number: int) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = write(path, ALL_KINDS).splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(b'"time_s"', b'"tame_s"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(RecordError, match=rf"ledger\.jsonl, line {number}: damaged"):
        read_ledger(path)
    with pytest.raises(RecordError, match=f"line {number}"):
        LedgerWriter(path)
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"{}\n",
        *(b'{"kind": "hpc-nas ledger", "schema_version": %d}\n' % version for version in (1, 3)),
    ],
)
def test_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="not a ledger of schema version 2"):
        LedgerWriter(path)
    assert path.read_bytes() == content


def test_missing_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no\.jsonl: can't be read: No such file"):
        read_ledger(tmp_path / "no.jsonl")


def test_full_disk_leaves_whole_lines_and_the_writer_usable(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=32 * 1024) as disk:
        filler = disk / "filler"
        filler.write_bytes(bytes(24 * 1024))
        long = GroupEnded(group=0, reason="x" * 3000, time_s=1.0)
        with LedgerWriter(disk / "ledger.jsonl") as ledger:
            ledger.append(long)
            with pytest.raises(RecordError, match=r"ledger\.jsonl: can't be written: No space left"):
                ledger.append(long.model_copy(update={"reason": "y" * 8000}))
            filler.unlink()
            ledger.append(CampaignClosed(reason="disk full", time_s=2.0))
        found = read_ledger(disk / "ledger.jsonl")
        assert found.events == (long, CampaignClosed(reason="disk full", time_s=2.0))
        assert found.damaged_tail is None


def test_failing_disk_takes_the_event_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    data = write(path, ALL_KINDS)
    with LedgerWriter(path) as ledger:

        def fail(descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(RecordError, match=re.escape(os.strerror(errno.EIO))):
                ledger.append(CampaignClosed(reason="", time_s=0.0))
    assert path.read_bytes() == data


def test_events_are_checked_and_frozen() -> None:
    with pytest.raises(ValueError, match="pid"):
        CampaignOpened.model_validate(opened(1.0).model_dump() | {"pid": "42"})
    with pytest.raises(ValueError, match="frozen"):
        opened(1.0).pid = 3


# --- lines that can't be, or can't follow each other ----------------------------------------------------------


def lines_of(path: Path) -> list[bytes]:
    return write(path, ALL_KINDS).splitlines(keepends=True)


@pytest.mark.parametrize(
    "kind", ["candidate_drawn", "attempt_started", "attempt_lost", "attempt_interrupted", "candidate_ended"]
)
def test_line_that_stands_twice_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = lines_of(path)
    first = next(place for place, line in enumerate(lines) if b'"%s"' % kind.encode() in line)
    path.write_bytes(b"".join([*lines[: first + 1], *lines[first:]]))
    with pytest.raises(RecordError, match=rf"ledger\.jsonl, line {first + 2}: damaged"):
        read_ledger(path)


@given(st.data())
def test_mutated_ledger_is_read_or_refused_with_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    lines = lines_of(path)
    path.write_bytes(b"".join(data.draw(mutated(lines))))
    events = events_or_refusal(
        path, read=read_ledger, match=r"ledger\.jsonl(, line \d+: damaged|: not a ledger)"
    )
    state = CampaignState(num_candidates=100)
    for event in events:  # what is read can be taken into account
        state.apply(event)
