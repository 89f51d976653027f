"""The machine and the software that a measurement was made with."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil

from hpc_nas.campaign.provenance import versions

BACKGROUND_S = 2.0


def describe_environment() -> dict[str, Any]:
    """CPU, cores this process may use, memory, operating system, versions."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": versions(),
    }


def background_cpu_percent() -> float:
    """How busy the machine is with others' work, percent of all cores, over BACKGROUND_S."""
    return float(psutil.cpu_percent(interval=BACKGROUND_S))


def filesystem_of(path: Path) -> str:
    """Type of the file system that a path lies on, such as ext4."""
    where = path.resolve()
    mounts = [
        part for part in psutil.disk_partitions(all=True) if where.is_relative_to(Path(part.mountpoint))
    ]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return f"{value.strip()} ({platform.machine()})"
    return platform.machine()
