"""All processes that a campaign has started, by what they are.

They are found by a mark in the environment that they inherit, and as children: those of Parsl's that name themselves
write over their environment.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil

MARK = "HPC_NAS_TEST_FAMILY"

# What each kind's command line holds, the most telling first: a wrapper's holds what it wraps.
_KINDS = (
    ("mpiexec", "bin/mpiexec"),
    ("proxy", "hydra_pmi_proxy"),
    ("rank_wrapper", "rank_wrapper.py"),
    ("rank", "-m hpc_nas.group"),
    ("agent", "hpc_nas.platforms.processes.group_agent"),
    ("helper", "multiprocessing"),
    ("interchange", "interchange"),
    ("wrapper", "pool_wrapper.py"),
    ("pool", "process_worker_pool.py"),
    ("shell", "submit_scripts/"),
    ("campaign", "bin/hpc-nas"),
)
KINDS = tuple(kind for kind, _ in _KINDS)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process, which can't be taken for another with its number."""

    kind: str
    process: psutil.Process

    def lives(self) -> bool:
        """Does it still run?"""
        with suppress(psutil.NoSuchProcess):
            return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)
        return False

    def below(self) -> set[int]:
        """Its number and those of all that it has started, as far as nobody between them has ended."""
        with suppress(psutil.NoSuchProcess):
            return {self.process.pid, *(child.pid for child in self.process.children(recursive=True))}
        return set()


def family(mark: str) -> list[Member]:
    """All with this mark that run now, and their children."""
    processes = list(psutil.process_iter())
    marked = set()
    for process in processes:
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                marked |= {process.pid, *(child.pid for child in process.children(recursive=True))}
    found = []
    for process in processes:
        with suppress(psutil.Error):
            if process.pid in marked and process.status() != psutil.STATUS_ZOMBIE:
                line = " ".join(process.cmdline())
                kind = next((kind for kind, part in _KINDS if part in line), f"unknown: {line}")
                found.append(Member(kind=kind, process=process))
    return found


def described(members: list[Member]) -> list[str]:
    """For a message."""
    return sorted(f"{member.kind} {member.process.pid}" for member in members if member.lives())
