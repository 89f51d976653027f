"""Under what is measured: the checkout, the recorded data, the machine and its software, who else uses it."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
from pydantic import Field

from benchmarks.bench.values import Value
from hpc_nas.campaign.provenance import source_commit, versions

ROOT = Path(__file__).resolve().parents[2]
DATA_VARIABLE = "HPC_NAS_TEST_DATA"
BACKGROUND_S = 2.0

_Result = TypeVar("_Result")


class Conditions(Value):
    """Of one measurement. `key` names all that it depends on in one word: while it stays, nothing is measured again.

    Environment and configuration are empty where the results say them once for all.
    """

    key: str = ""
    commit: str
    environment: dict[str, Any] = Field(default_factory=dict)
    configuration: dict[str, Any] = Field(default_factory=dict)
    started: str
    duration_s: float = 0.0
    background_cpu_percent: float  # of all cores, in the seconds before it began

    @classmethod
    def now(cls, **known: Any) -> Self:
        """Commit, time, how busy others keep the machine, and what else is known."""
        return cls(
            commit=source_commit(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            background_cpu_percent=background_cpu_percent(),
            **known,
        )

    def before(self, later: Conditions) -> Self:
        """Of what began under these and goes on under the later ones: both commits, and the busiest machine."""
        commits = [*self.commit.split(", "), later.commit]
        busiest = max(self.background_cpu_percent, later.background_cpu_percent)
        return self.model_copy(
            update={"commit": ", ".join(dict.fromkeys(commits)), "background_cpu_percent": busiest}
        )


def measured(name: str, action: Callable[[], _Result], **known: Any) -> tuple[Conditions, _Result]:
    """What the action gives, and the conditions of its measurement; says so when it begins."""
    conditions, clock = Conditions.now(**known), time.monotonic()
    print(
        f"{name}: measuring; others use {conditions.background_cpu_percent:.0f} % of the machine", flush=True
    )
    result = action()
    return conditions.model_copy(update={"duration_s": round(time.monotonic() - clock, 1)}), result


def data_dir() -> Path:
    """The recorded curves and images: HPC_NAS_TEST_DATA, else beside the checkout; it need not exist."""
    return Path(os.environ.get(DATA_VARIABLE) or ROOT.parent / "shared" / "data").resolve()


def digest_of(value: object, patterns: Iterable[str]) -> str:
    """A hash of a value's text and of all files of the checkout that match.

    Source counts by content, so that a commit of the results themselves changes nothing.
    """
    digest = hashlib.sha256(repr(value).encode())
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


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
