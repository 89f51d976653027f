"""GPUs are shared by as many trainers as was asked for, and by no more."""

from __future__ import annotations

import pytest

from hpc_nas.errors import LaunchError
from hpc_nas.group.device_check import check_shares


def test_gpus_of_their_own_and_gpus_shared_as_asked_are_right() -> None:
    for rank in range(4):
        check_shares(["a", "b", "c", "d"], rank=rank, share=1, visible="0,1,2,3")
        check_shares(["a", "a", "b", "b"], rank=rank, share=2, visible="0,1")


def test_trainers_that_were_shown_the_same_gpu_are_named() -> None:
    names = ["a", "b", "b"]
    check_shares(names, rank=0, share=1, visible="0")
    with pytest.raises(
        LaunchError, match=r"trainers \[1, 2\] all sit on GPU b, and gpu_share = 1; trainer 2 was shown 0"
    ):
        check_shares(names, rank=2, share=1, visible="0")
