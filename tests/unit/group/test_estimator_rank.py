"""What the estimator rank makes of single reports; its parts are played by the test."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from hpc_nas.configuration import GroupSection
from hpc_nas.group.estimator_rank import EstimatorRank
from hpc_nas.group.pending_checkpoints import PendingCheckpoints
from hpc_nas.group.protocol import Assignment
from hpc_nas.group.trainers import Trainers
from hpc_nas.group.wire import Left, Present
from hpc_nas.values import Candidate, Reason, State


def busy_trainers() -> Trainers:
    """One trainer, which trains candidate 0."""
    comm = MagicMock()
    comm.size = 2
    trainers = Trainers(comm, section=GroupSection())
    trainers.present(0, Present(host="n1", pid=1, device="cpu"))
    drawn = Candidate(number=0, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
    trainers.receive([Assignment(candidate=drawn, attempt=0)])
    trainers.place()
    return trainers


@pytest.mark.parametrize(
    ("state", "reason"), [(State.FINISHED, Reason.FULL_BUDGET), (State.CANCELLED, Reason.CANCELLED)]
)
def test_trainer_that_was_given_up_and_woke_up_gives_its_attempt_no_second_end(
    state: State, reason: Reason
) -> None:
    for dropped in (False, True):
        rank = EstimatorRank.__new__(EstimatorRank)
        rank._trainers = busy_trainers()
        rank._decisions, rank._rows, rank._campaign = MagicMock(), MagicMock(), MagicMock()
        rank._pending, rank._needs_history = PendingCheckpoints(), False
        if dropped:
            rank._trainers.drop(0)
        rank._on_left(0, Left(candidate=0, attempt=0, state=state, reason=reason, message="", left_time=1.0))
        ends = len(rank._pending) + rank._decisions.conclude.call_count
        assert ends == (0 if dropped else 1)
