"""Parsl's blocks: do some still wait in the scheduler's queue?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from parsl.jobs.states import JobState, JobStatus

from hpc_nas.platforms import parsl_session
from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL
from hpc_nas.platforms.parsl_session import Block, blocks, blocks_wait


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


class Provider:
    """The blocks of an executor, and what they wrote."""

    def __init__(self, script_dir: Path, monkeypatch: pytest.MonkeyPatch, **blocks: JobStatus):
        by_number = {name.removeprefix("block"): status for name, status in blocks.items()}
        executor = SimpleNamespace(
            status_facade=by_number, provider=SimpleNamespace(script_dir=str(script_dir))
        )
        kernel = SimpleNamespace(executors={EXECUTOR_LABEL: executor})
        monkeypatch.setattr(parsl_session.parsl, "dfk", lambda: kernel)


@pytest.mark.parametrize("suffix", ["sh.err", "stderr", "submit.stderr"])
def test_block_that_has_ended_says_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    Provider(
        tmp_path,
        monkeypatch,
        block10=JobStatus(JobState.FAILED, exit_code=3),
        block1=JobStatus(JobState.RUNNING),
    )
    (tmp_path / f"parsl.groups.block-10.1.5.{suffix}").write_text("one\ntwo\n\nthree\nfour\nfive\n")
    (tmp_path / f"parsl.groups.block-1.1.5.{suffix}").write_text("another's\n")
    assert blocks() == [
        Block(name="1"),
        Block(name="10", how="ended with exit code 3", said="two | three | four | five"),
    ]
    assert blocks(known={"10"}) == [Block(name="1")]


def test_block_that_its_scheduler_did_not_take_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = JobStatus(JobState.FAILED, message="Failed to start block 0: sbatch: invalid partition")
    Provider(tmp_path, monkeypatch, block0=refused)
    assert blocks() == [
        Block(name="0", how="ended (failed)", said="Failed to start block 0: sbatch: invalid partition")
    ]
