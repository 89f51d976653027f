"""What a campaign makes of a file system that is away for a while, or for good."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpc_nas.campaign.patience import LIMIT_S, LONGEST_WAIT_S, Patience, may_pass
from hpc_nas.errors import RecordError, RunDirectoryError
from hpc_nas.records.ledger import CampaignClosed, LedgerWriter, read_ledger


class Away:
    """An action that fails so often, and a clock that turns while one waits."""

    def __init__(self, number: int, *, times: int, wrapped: bool = False):
        self.error = OSError(number, os.strerror(number))
        self.left = times
        self.wrapped = wrapped
        self.now = 100.0
        self.beats: list[float] = []
        self.patience = Patience(clock=lambda: self.now, sleep=self.sleep)
        self.patience.meanwhile = lambda: self.beats.append(self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def act(self) -> str:
        if self.left:
            self.left -= 1
            if self.wrapped:
                raise RecordError("the ledger can't be written") from self.error
            raise self.error
        return "done"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("wrapped", [True, False])
def test_error_that_passes_costs_a_word_and_no_sign_of_life(
    number: int, wrapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    away = Away(number, times=8, wrapped=wrapped)
    assert away.patience.insist(away.act) == "done"
    assert len(away.beats) == 8
    waits = [later - sooner for sooner, later in zip(away.beats, away.beats[1:], strict=False)]
    assert max(waits) <= LONGEST_WAIT_S + 1e-9
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "tried again for up to 20 s" in caplog.messages[0]
    assert caplog.messages[1].startswith("it has passed after")


def test_error_that_stays_is_raised_after_the_limit() -> None:
    away = Away(errno.EIO, times=1000, wrapped=True)
    with pytest.raises(RecordError):
        away.patience.insist(away.act)
    assert LIMIT_S <= away.now - 100.0 <= LIMIT_S + 2 * LONGEST_WAIT_S


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOENT])
def test_what_waiting_does_not_mend_is_told_at_once(number: int) -> None:
    away = Away(number, times=1)
    with pytest.raises(OSError, match=os.strerror(number)):
        away.patience.insist(away.act)
    assert away.now == 100.0
    assert not may_pass(RunDirectoryError("no cause at all"))


def test_what_was_added_to_the_ledger_is_written_once_the_disk_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, failures = os.fsync, iter([errno.EIO, errno.ESTALE, errno.EIO])

    def sometimes(descriptor: int) -> None:
        if (number := next(failures, 0)) != 0:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    events = tuple(CampaignClosed(reason=str(number), time_s=1.0) for number in range(3))
    with LedgerWriter(tmp_path / "ledger.jsonl") as ledger:
        monkeypatch.setattr(os, "fsync", sometimes)
        for event in events:
            ledger.add(event)
        Patience(sleep=lambda seconds: None).insist(ledger.sync)
        assert read_ledger(tmp_path / "ledger.jsonl").events == events
