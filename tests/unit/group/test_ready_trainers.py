"""Trainers report for work in time, or the group does not start."""

from __future__ import annotations

import pytest

from hpc_nas.errors import LaunchError
from hpc_nas.group.trainers import ReadyTrainers
from hpc_nas.group.wire import Present


def present(device: str) -> Present:
    return Present(host="node-7", pid=4242, device=device)


def test_trainer_that_does_not_come_is_named() -> None:
    now = 10.0
    ready = ReadyTrainers(num_trainers=2, timeout_s=5.0, clock=lambda: now)
    ready.present(1, present("cuda:1"))
    now = 14.9
    ready.check()
    now = 15.1
    with pytest.raises(LaunchError, match=r"only trainers \[1\] of 2 were ready within 5 s"):
        ready.check()


def test_all_are_there_with_their_devices_and_places() -> None:
    ready = ReadyTrainers(num_trainers=2, timeout_s=5.0, clock=lambda: 0.0)
    ready.present(1, present("cuda:1"))
    assert not ready.complete
    ready.present(0, present("cuda:0"))
    assert ready.complete
    assert ready.devices == ["cuda:0", "cuda:1"]
    assert ready.where(1) == "rank 1 on node node-7 (process 4242, cuda:1)"
