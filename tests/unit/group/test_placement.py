"""Where a group may sit, and what it is told where it may not."""

from __future__ import annotations

import os

import pytest

from hpc_nas.errors import LaunchError
from hpc_nas.group.placement import Seat, check_placement, granted_cores, own_seat


def seats(*cores: set[int], hosts: tuple[str, ...] = ()) -> list[Seat]:
    """By rank; the last one is the estimator's."""
    return [
        Seat(rank=rank, host=hosts[rank] if hosts else "node-1", cores=frozenset(own))
        for rank, own in enumerate(cores)
    ]


def check(found: list[Seat], *, threads: int = 1, granted: int = 8) -> list[str]:
    """The warning of each rank."""
    return [check_placement(found, rank=seat.rank, threads=threads, granted=granted) for seat in found]


EIGHT = set(range(8))


def test_ranks_that_may_use_all_cores_are_well_placed() -> None:
    assert check(seats(EIGHT, EIGHT, EIGHT), threads=4) == ["", "", ""]


def test_trainers_with_cores_of_their_own_are_well_placed() -> None:
    assert check(seats({0, 1}, {2, 3}, {0}), threads=2) == ["", "", ""]


def test_group_on_one_core_of_many_is_refused() -> None:
    """What `srun` without `-c` does."""
    with pytest.raises(LaunchError) as refused:
        check(seats({3}, {3}, {3}))
    assert str(refused.value) == (
        "rank 0 on node node-1: trainer(s) [0, 1] of threads_per_rank = 1 have 1 core(s) (3), and the group uses 1 of "
        "the 8 that it was granted there: the launcher has bound it; start it with all cores of the node (srun -c N, "
        "jsrun -c ALL_CPUS -g ALL_GPUS -b none), or lower [group] threads_per_rank"
    )


def test_trainer_with_fewer_cores_than_threads_is_refused_where_there_are_more() -> None:
    with pytest.raises(LaunchError, match=r"trainer\(s\) \[0\] of threads_per_rank = 4 have 2 core\(s\)"):
        check(seats({0, 1}, {2, 3}, {4}), threads=4, granted=8)


def test_two_trainers_on_one_core_are_refused_though_the_third_has_its_own() -> None:
    found = seats({0}, {1}, {1}, {2})
    assert check_placement(found, rank=0, threads=1, granted=8) == ""
    for rank in (1, 2):
        with pytest.raises(LaunchError, match=rf"rank {rank} on node node-1: trainer\(s\) \[1, 2\]"):
            check_placement(found, rank=rank, threads=1, granted=8)


def test_small_machine_is_only_warned_of() -> None:
    both = {0, 1}
    first, second, estimator = check(seats(both, both, both), threads=2, granted=2)
    assert first == (
        "rank 0 on node node-1: trainer(s) [0, 1] of threads_per_rank = 2 have 2 core(s) (0, 1); they train more "
        "slowly than they could"
    )
    assert second.startswith("rank 1")
    assert estimator == ""  # it sleeps nearly all the time


def test_overlapping_bindings_are_seen_together() -> None:
    with pytest.raises(LaunchError, match=r"trainer\(s\) \[0, 1, 2\] of threads_per_rank = 2 have 3 core"):
        check(seats({0, 1}, {1, 2}, {0, 2}, {3}), threads=2)


def test_rank_on_another_node_is_named() -> None:
    found = seats(EIGHT, EIGHT, EIGHT, hosts=("node-1", "node-2", "node-1"))
    assert check_placement(found, rank=0, threads=1, granted=8) == ""
    with pytest.raises(LaunchError, match="rank 1 sits on node node-2, its estimator rank on node-1"):
        check_placement(found, rank=1, threads=1, granted=8)


def test_binding_does_not_hide_what_was_granted() -> None:
    before = os.sched_getaffinity(0)
    there = granted_cores({})
    try:
        os.sched_setaffinity(0, {min(before)})
        assert granted_cores({}) == there
        assert own_seat(0).cores == {min(before)}
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("told", "fewest"), [("1", 1), ("1(x4)", 1), ("4096(x3),1", 1), ("4096(x2)", None)])
def test_slurm_knows_what_was_granted(told: str, fewest: int | None) -> None:
    """But a node has no more cores than it has."""
    assert granted_cores({"SLURM_JOB_CPUS_PER_NODE": told}) == (fewest or granted_cores({}))
