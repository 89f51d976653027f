"""Worker pools that end in vain are told of, and end the campaign when they come in a row."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.campaign.blocks import BlockWatch
from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_session import Block

BLOCKS = {"scheduler": "slurm", "node_launcher": "srun", "placement": "blocks", "walltime": "01:00:00"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def watch(**platform: Any) -> BlockWatch:
    configuration = Configuration.model_validate({"platform": platform, "group": {"max_failed_starts": 3}})
    return BlockWatch(configuration, parsl_dir=Path("/run/parsl"), clock=Clock())


def dead(number: int, *, how: str = "ended with exit code 1", said: str = "no module named x") -> Block:
    return Block(name=str(number), how=how, said=said)


def test_blocks_that_end_in_vain_are_told_and_the_last_one_ends_the_campaign(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    pools = watch()
    pools.look([dead(0)], at_work=False)
    pools.look([dead(0), dead(1)], at_work=False)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "block 0 ended with exit code 1: no module named x; Parsl starts another",
        "block 1 ended with exit code 1: no module named x; Parsl starts another",
    ]
    with pytest.raises(LaunchError) as caught:
        pools.look([dead(2, said="")], at_work=False)
    assert str(caught.value) == (
        "3 worker pools in a row ended before a group on them took up a candidate; the last one: block 2 ended with "
        "exit code 1: it said nothing; check [platform] setup and node_launcher, and that the nodes reach this "
        "Python; what they wrote is in /run/parsl"
    )


def test_block_in_whose_life_a_group_began_did_not_end_in_vain(caplog: pytest.LogCaptureFixture) -> None:
    """As when the walltime of all blocks is over at once."""
    pools = watch(**BLOCKS, num_blocks=5)
    pools.look([Block(name=str(number)) for number in range(5)], at_work=False)
    pools.mark_begun()
    pools.look([dead(number) for number in range(5)], at_work=False)
    assert (caplog.records, len(pools.ended)) == ([], 5)


def test_one_death_of_each_block_may_be_one_fault() -> None:
    pools = watch(**BLOCKS, num_blocks=4)
    pools.look([dead(number) for number in range(5)], at_work=False)
    with pytest.raises(LaunchError, match="6 worker pools in a row"):
        pools.look([dead(5)], at_work=False)


def test_as_long_as_a_group_is_at_work_the_death_of_other_blocks_is_told_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pools = watch(**BLOCKS, num_blocks=2)
    pools.look([Block(name="0")], at_work=False)
    pools.mark_begun()
    for number in range(1, 20):
        pools.look([Block(name="0"), dead(number)], at_work=True)
    assert len(caplog.records) == 19


def test_group_that_begins_lets_the_count_begin_anew() -> None:
    pools = watch()
    pools.look([dead(0), dead(1), Block(name="2")], at_work=False)
    pools.mark_begun()
    pools.look([dead(2)], at_work=True)
    pools.look([dead(3), dead(4)], at_work=False)
    with pytest.raises(LaunchError, match="block 5"):
        pools.look([dead(5)], at_work=False)
