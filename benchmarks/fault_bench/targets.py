"""The processes of a running campaign by what they are, found by their command lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil

_GROUP = re.compile(r"--group (\d+)")
_SIZE = re.compile(r"--expect-size (\d+)")


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Pids; trainers, estimators and launches with their group's number, pools by pid alone."""

    trainers: tuple[tuple[int, int], ...]  # (group, pid)
    estimators: tuple[tuple[int, int], ...]
    launches: tuple[tuple[int, int], ...]
    pools: tuple[int, ...]


def find_targets(run_dir: Path) -> Targets:
    """All that run now."""
    trainers: list[tuple[int, int]] = []
    estimators: list[tuple[int, int]] = []
    launches, pools = [], []
    for process in psutil.process_iter(["cmdline", "environ", "ppid"]):
        parts = process.info["cmdline"] or []
        line = " ".join(parts)
        if str(run_dir) not in line:
            continue
        group = _GROUP.search(line)
        if any(part.endswith("process_worker_pool.py") for part in parts[:4]):
            if _is_pool_wrapper(process.info["ppid"]):
                pools.append(process.pid)
        elif group is None or "hpc_nas.group" not in parts:
            continue
        elif "mpiexec" in parts[0]:
            launches.append((int(group[1]), process.pid))
        elif "rank_wrapper.py" not in line:
            rank = (process.info["environ"] or {}).get("PMI_RANK", "")
            size = _SIZE.search(line)
            if rank.isdigit() and size is not None:
                (estimators if int(rank) == int(size[1]) - 1 else trainers).append(
                    (int(group[1]), process.pid)
                )
    return Targets(
        trainers=tuple(trainers),
        estimators=tuple(estimators),
        launches=tuple(launches),
        pools=tuple(pools),
    )


@dataclass(frozen=True, kw_only=True)
class Family:
    """Processes that must be gone by some time, with their start times: a pid may be used again."""

    due: float  # time.monotonic()
    what: str
    members: dict[int, float]

    def left(self) -> list[str]:
        """Those that still run."""
        found = []
        for pid, created in self.members.items():
            try:
                process = psutil.Process(pid)
                if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{self.what}: {pid} {' '.join(process.cmdline())[:200]}")
            except psutil.NoSuchProcess:
                continue
        return found


def family(pids: list[int], *, due: float, what: str) -> Family:
    """These processes as they are now."""
    members = {}
    for pid in pids:
        try:
            members[pid] = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            continue
    return Family(due=due, what=what, members=members)


def _is_pool_wrapper(pid: int | None) -> bool:
    try:
        return pid is not None and any(
            part.endswith("pool_wrapper.py") for part in psutil.Process(pid).cmdline()
        )
    except psutil.NoSuchProcess:
        return False
