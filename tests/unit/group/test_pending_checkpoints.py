"""Attempts that are to go on later: told of once, when their checkpoint is there or is given up."""

from __future__ import annotations

from hpc_nas.group.pending_checkpoints import PendingCheckpoints
from hpc_nas.group.protocol import Interrupted
from hpc_nas.group.wire import Left, Saved
from hpc_nas.values import Reason, State


def left(candidate: int, *, state: State = State.PAUSED) -> Left:
    reason = Reason.RUNG if state is State.PAUSED else Reason.CANCELLED
    return Left(candidate=candidate, attempt=1, state=state, reason=reason, message="", left_time=1.0)


def test_checkpoint_that_is_there_is_told_with_how_the_attempt_was_left() -> None:
    subject = PendingCheckpoints()
    subject.left(0, left(5))
    subject.left(1, left(6, state=State.CANCELLED))
    told = [
        subject.saved(Saved(candidate=6, attempt=1, epochs=2.0, checkpoint="six.pt")),
        subject.saved(Saved(candidate=5, attempt=1, epochs=3.5, checkpoint=None, message="disk full")),
    ]
    assert told == [
        Interrupted(trainer=1, candidate=6, attempt=1, how="drained", epochs=2.0, checkpoint="six.pt"),
        Interrupted(
            trainer=0, candidate=5, attempt=1, how="paused", epochs=3.5, checkpoint=None, message="disk full"
        ),
    ]
    assert not subject


def test_checkpoint_that_nobody_waits_for_is_passed_over() -> None:
    subject = PendingCheckpoints()
    saved = Saved(candidate=5, attempt=1, epochs=3.5, checkpoint="five.pt")
    assert subject.saved(saved) is None
    subject.left(0, left(5))
    assert subject.saved(saved) is not None
    assert subject.saved(saved) is None


def test_checkpoints_that_never_came_are_given_up_with_a_word() -> None:
    subject = PendingCheckpoints()
    subject.left(0, left(5))
    subject.left(1, left(6))
    subject.saved(Saved(candidate=5, attempt=1, epochs=3.5, checkpoint="five.pt"))
    assert subject.give_up("too late") == [
        Interrupted(
            trainer=1, candidate=6, attempt=1, how="paused", epochs=0.0, checkpoint=None, message="too late"
        )
    ]
    assert len(subject) == 0
    assert subject.give_up("again") == []
