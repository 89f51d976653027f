"""Where the ranks of a group sit: on one node, with cores of their own as far as there are any.

A launcher that binds in its own way is no rare thing: Slurm's srun no longer inherits `--cpus-per-task`, and jsrun
gives a resource set one core unless told otherwise. A whole group on one core trains on, many times slower.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpc_nas.errors import LaunchError

ADVICE = (
    "start it with all cores of the node (srun -c N, jsrun -c ALL_CPUS -g ALL_GPUS -b none), or lower [group] "
    "threads_per_rank"
)


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One rank's place: its node, and the cores that it may use there."""

    rank: int
    host: str
    cores: frozenset[int]


def own_seat(rank: int) -> Seat:
    """Where this process sits."""
    return Seat(rank=rank, host=socket.gethostname(), cores=frozenset(os.sched_getaffinity(0)))


def granted_cores(environment: Mapping[str, str]) -> int:
    """How many cores of this node are the allocation's, whatever of them this process is bound to.

    What Slurm says of the job; else all that the kernel would let this process have (a control group's limit holds,
    a launcher's binding does not).
    """
    there = _cores_to_be_had()
    # "8", "8(x4)", "8(x3),4": which of them is this node's can't be seen, so the fewest.
    told = re.findall(r"(\d+)(?:\(x\d+\))?", environment.get("SLURM_JOB_CPUS_PER_NODE", ""))
    return min([there, *map(int, told)])


def check_placement(seats: Sequence[Seat], *, rank: int, threads: int, granted: int) -> str:
    """What this rank is to be warned of, or nothing; `seats` are those of all ranks, the estimator's last.

    `threads` is what each trainer runs, `granted` the number of cores that are this group's on the node. Raises
    LaunchError where ranks are spread over nodes, or where trainers share cores while others lie idle.
    """
    me, estimator = seats[rank], seats[-1]
    if me.host != estimator.host:
        raise LaunchError(
            f"rank {rank} sits on node {me.host}, its estimator rank on {estimator.host}: a group lies within one "
            "node; let each group be started on its node, or lower [group] trainers_per_node"
        )
    crowded = _crowded(seats[:-1], rank=rank, threads=threads)
    if crowded is None:
        return ""
    cores, ranks = crowded
    used = frozenset[int]().union(*(seat.cores for seat in seats))
    seen = (
        f"rank {rank} on node {me.host}: trainer(s) {ranks} of threads_per_rank = {threads} have {len(cores)} core(s) "
        f"({_named(cores)})"
    )
    if granted > len(used):
        raise LaunchError(
            f"{seen}, and the group uses {len(used)} of the {granted} that it was granted there: the launcher has "
            f"bound it; {ADVICE}"
        )
    return f"{seen}; they train more slowly than they could"


def _crowded(trainers: Sequence[Seat], *, rank: int, threads: int) -> tuple[frozenset[int], list[int]] | None:
    """The fewest cores within which this trainer and others need more than there are, and the trainers there."""
    if rank >= len(trainers):
        return None
    mine = trainers[rank].cores
    sets = {seat.cores for seat in trainers if mine <= seat.cores}
    if any(mine & seat.cores for seat in trainers if seat.rank != rank):
        sets.add(frozenset[int]().union(*(seat.cores for seat in trainers)))
    for cores in sorted(sets, key=len):
        ranks = [seat.rank for seat in trainers if seat.cores <= cores]
        if threads * len(ranks) > len(cores):
            return cores, ranks
    return None


def _cores_to_be_had() -> int:
    bound = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        return len(os.sched_getaffinity(0))
    except OSError:
        return len(bound)
    finally:
        os.sched_setaffinity(0, bound)


def _named(cores: frozenset[int]) -> str:
    names = sorted(cores)
    return ", ".join(map(str, names)) if len(names) <= 8 else f"{names[0]} ... {names[-1]}"
