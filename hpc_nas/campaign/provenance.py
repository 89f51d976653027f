"""Where a result comes from: the versions of what computed it, and the commit."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import hpc_nas
from hpc_nas.records.ledger import CampaignOpened

PACKAGES = (
    "hpc-nas", "torch", "torchvision", "mpi4py", "mpich", "numpy", "scipy", "h5py", "parsl", "optuna", "scikit-learn",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Python's and the packages' versions; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def opened_here(
    *, data: Mapping[str, Any], resumed: bool, job_id: str = "", deadline_time: float | None = None
) -> CampaignOpened:
    """That this process takes up a campaign over the data set that `data` sums up, with the code that runs here."""
    return CampaignOpened(
        host=socket.gethostname(),
        pid=os.getpid(),
        hpc_nas_version=hpc_nas.__version__,
        commit=source_commit(),
        versions=versions(),
        data=dict(data),
        resumed=resumed,
        job_id=job_id,
        deadline_time=deadline_time,
        time_s=time.time(),
    )


def source_commit() -> str:
    """The commit of the source tree this package runs from, `+` when it was changed; empty without one."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
