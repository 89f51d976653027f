"""Messages between campaign and group: what goes through unchanged, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import Standing
from hpc_nas.group import protocol
from hpc_nas.group.protocol import MalformedMessage
from hpc_nas.records.history_journal import EndedLine, ObservedLine
from hpc_nas.values import FINAL_STATES, REASONS, Candidate, Outcome

COUNT = st.integers(0, 2**63)
FLOAT = st.floats(allow_nan=False)  # infinity goes through too; NaN has its own test
TEXT = st.text(max_size=30)
OPTIONAL = st.none() | FLOAT
NUMBER = st.integers(0, 2**31 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)

CANDIDATES = st.builds(
    Candidate,
    number=NUMBER,
    seed=NUMBER,
    parameters=st.dictionaries(TEXT, st.one_of(st.booleans(), st.integers(), FLOAT, TEXT), max_size=5),
    num_parameters=NUMBER,
    num_layers=NUMBER,
    macs=NUMBER,
    redraws=NUMBER,
)


LINES = st.one_of(
    st.builds(
        ObservedLine,
        candidate=COUNT,
        epoch=FLOAT,
        val_accuracy=FLOAT,
        val_loss=FLOAT,
        train_loss=FLOAT,
        train_accuracy=FLOAT,
    ),
    st.builds(EndedLine, candidate=COUNT, standing=st.sampled_from(Standing), audited=st.booleans()),
)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    state = draw(st.sampled_from(sorted(FINAL_STATES)))
    return Outcome(
        candidate=draw(NUMBER),
        attempt=draw(NUMBER),
        state=state,
        reason=draw(st.sampled_from(sorted(REASONS[state]))),
        estimate=draw(st.none() | FINITE),
        spread=draw(st.none() | st.floats(0.0, 1e6)),
        best_accuracy=draw(st.none() | st.floats(0.0, 100.0)),
        epochs=draw(st.floats(0, 1e6)),
        message=draw(TEXT),
    )


FROM_GROUP = st.one_of(
    st.builds(protocol.Hello, host=TEXT, pid=COUNT),
    st.builds(protocol.Ready, devices=st.lists(TEXT, max_size=4)),
    st.builds(protocol.Beat, credits=COUNT, history_version=st.none() | COUNT),
    st.builds(protocol.Started, candidate=COUNT, attempt=COUNT, trainer=COUNT),
    st.builds(
        protocol.Progress,
        candidate=COUNT,
        attempt=COUNT,
        trainer=st.none() | COUNT,
        epoch=FLOAT,
        val_accuracy=FLOAT,
        val_loss=FLOAT,
        train_loss=FLOAT,
        train_accuracy=FLOAT,
        forecast=OPTIONAL,
    ),
    st.builds(protocol.Ended, trainer=COUNT, outcome=outcomes()),
    st.builds(protocol.Trouble, message=TEXT),
    st.builds(protocol.Goodbye, reason=TEXT),
)
FROM_CAMPAIGN = st.one_of(
    st.builds(protocol.Welcome, chance_accuracy=FLOAT),
    st.builds(protocol.Beat),
    st.builds(
        protocol.Assign,
        assignments=st.lists(st.builds(protocol.Assignment, candidate=CANDIDATES, attempt=COUNT), max_size=3),
    ),
    st.builds(protocol.HistoryEvents, first_version=COUNT, events=st.lists(LINES, max_size=3)),
    st.builds(protocol.Acknowledge, candidate=COUNT, attempt=COUNT),
    st.builds(protocol.Leave, reason=TEXT),
)


@given(FROM_GROUP)
def test_what_a_group_says_arrives_as_it_was_said(message: protocol.FromGroup) -> None:
    assert repr(protocol.decode_from_group(protocol.encode(message))) == repr(message)


@given(FROM_CAMPAIGN)
def test_what_a_campaign_says_arrives_as_it_was_said(message: protocol.FromCampaign) -> None:
    assert repr(protocol.decode_from_campaign(protocol.encode(message))) == repr(message)


def test_accuracy_that_was_not_measured_arrives_as_nan() -> None:
    said = protocol.Progress(candidate=1, attempt=0, trainer=0, epoch=0.5, val_accuracy=math.nan)
    heard = protocol.decode_from_group(protocol.encode(said))
    assert isinstance(heard, protocol.Progress)
    assert math.isnan(heard.val_accuracy)


HELLO = {"kind": "hello", "host": "node1", "pid": 7}


@pytest.mark.parametrize(
    "content",
    [
        {**HELLO, "shell": "rm"},  # a field that nobody knows
        {"kind": "hello", "host": "node1"},  # one that is missing
        {**HELLO, "pid": "7"},  # a type that is nearly right
        {**HELLO, "pid": True},
        {**HELLO, "pid": 7.5},
        {**HELLO, "kind": "hullo"},
        {"host": "node1", "pid": 7},
        {"kind": "assign", "assignments": []},  # the other way's message
        {"kind": "beat", "credits": -1},
        [HELLO],
        None,
        "hello",
    ],
)
def test_what_is_no_message_is_refused(content: object) -> None:
    with pytest.raises(MalformedMessage):
        protocol.decode_from_group(json.dumps(content).encode())


def test_unknown_field_deep_inside_is_refused() -> None:
    outcome = {"candidate": 1, "attempt": 0, "state": "finished", "reason": "full_budget"}
    message = {"kind": "ended", "trainer": 0, "outcome": outcome}
    protocol.decode_from_group(json.dumps(message).encode())
    for spoilt in (
        {**outcome, "bonus": 3},
        {**outcome, "reason": "converged"},
        {**outcome, "state": "running"},
        {**outcome, "epochs": -1.0},
    ):
        with pytest.raises(MalformedMessage):
            protocol.decode_from_group(json.dumps({**message, "outcome": spoilt}).encode())


def test_group_takes_no_orders_of_another_group() -> None:
    with pytest.raises(MalformedMessage):
        protocol.decode_from_campaign(protocol.encode(protocol.Goodbye(reason="")))


DECODERS = pytest.mark.parametrize("decode", [protocol.decode_from_group, protocol.decode_from_campaign])


@DECODERS
def test_message_that_is_too_long_is_refused_unread(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(MalformedMessage, match="1048577 bytes; the limit is 1048576"):
        decode(b" " * (protocol.MAX_MESSAGE_BYTES + 1))


@DECODERS
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"\x80\x04\x95", b'{"kind": "hello"'])
def test_bytes_that_are_no_json_are_refused(decode: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(data)


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    for decode in (protocol.decode_from_group, protocol.decode_from_campaign):
        with pytest.raises(MalformedMessage):
            decode(data)
