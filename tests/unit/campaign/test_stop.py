"""Every warning that a scheduler or a user sends means: stop in order."""

from __future__ import annotations

import os
import signal

import pytest

from hpc_nas.campaign.stop import SIGNALS, stop_on_signals


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_warning_asks_for_an_end_and_a_second_one_changes_nothing(number: str) -> None:
    assert {signal.Signals(each).name for each in SIGNALS} >= {number}
    before = [signal.getsignal(each) for each in SIGNALS]
    with stop_on_signals() as stop:
        assert stop.reason is None
        os.kill(os.getpid(), getattr(signal, number))
        os.kill(os.getpid(), signal.SIGUSR2)
        assert stop.reason == f"stopped by {number}"
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_ctrl_c_after_the_first_warning_interrupts_at_once() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.reason == "stopped by SIGUSR1"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
