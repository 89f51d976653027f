"""Parsl's blocks: do some still wait in the scheduler's queue?"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from parsl.jobs.states import JobState, JobStatus

from hpc_nas.platforms import parsl_session
from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL
from hpc_nas.platforms.parsl_session import blocks_wait


@pytest.mark.parametrize(
    ("states", "wait"),
    [
        ([], False),
        ([JobState.RUNNING], False),
        ([JobState.RUNNING, JobState.PENDING], True),
        ([JobState.CANCELLED, JobState.RUNNING], False),
    ],
)
def test_block_that_waits_in_the_queue_is_told(
    states: list[JobState], wait: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = {str(number): JobStatus(state) for number, state in enumerate(states)}
    executor = SimpleNamespace(status_facade=blocks)
    kernel = SimpleNamespace(executors={EXECUTOR_LABEL: executor})
    monkeypatch.setattr(parsl_session.parsl, "dfk", lambda: kernel)
    assert blocks_wait() is wait


def test_nothing_waits_without_parsl() -> None:
    assert blocks_wait() is False
