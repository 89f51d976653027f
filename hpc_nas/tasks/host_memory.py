"""How much memory this process may still take, so that data too large are refused with both figures."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

from hpc_nas.errors import DataError

__all__ = ["GIB", "available_bytes", "check_memory"]

GIB = 2**30
_CGROUPS = Path("/sys/fs/cgroup")


def available_bytes(*, cgroups: Path = _CGROUPS, own_cgroups: Path = Path("/proc/self/cgroup")) -> int:
    """The least of what the machine has left, the limit of the address space, and those of the control groups."""
    limits: list[int] = [psutil.virtual_memory().available]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft - psutil.Process().memory_info().vms)
    limits += _cgroup_limits(cgroups, own_cgroups)
    return max(0, min(limits))


def check_memory(needed_bytes: int, *, where: str) -> None:
    """Raises DataError where the data, and the copy that cuts them into parts, can't both be held."""
    available = available_bytes()
    if 2 * needed_bytes > available:
        raise DataError(
            f"{where}: its arrays take {needed_bytes / GIB:.2f} GiB, and {2 * needed_bytes / GIB:.2f} GiB while they "
            f"are cut into parts, but {available / GIB:.2f} GiB of memory are available here; use fewer or smaller "
            "images, or a machine (a job) with more memory"
        )


def _cgroup_limits(root: Path, own: Path) -> list[int]:
    """Of version 2: a job's limit may be set for any of the groups that this process is in."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    path = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)
    if path is None:
        return []
    limits, directory = [], root / path
    while True:
        try:
            most = (directory / "memory.max").read_text(encoding="ascii").strip()
            used = int((directory / "memory.current").read_text(encoding="ascii"))
            statistics = (directory / "memory.stat").read_text(encoding="ascii").splitlines()
            cached = sum(int(line.split()[1]) for line in statistics if line.startswith("inactive_file "))
            if most.isdigit():
                limits.append(int(most) - used + cached)
        except (OSError, ValueError, IndexError):
            pass  # no such file in the topmost group
        if directory == root or root not in directory.parents:
            return limits
        directory = directory.parent
