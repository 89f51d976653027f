"""Where downloaded and unpacked data sets are kept between campaigns."""

from __future__ import annotations

import os
from pathlib import Path


def data_cache_dir() -> Path:
    """$HPC_NAS_CACHE, else hpc-nas under $XDG_CACHE_HOME, else ~/.cache/hpc-nas.

    Trainers on other nodes must see the same path; where the home directory is not shared, set HPC_NAS_CACHE.
    """
    if configured := os.environ.get("HPC_NAS_CACHE"):
        return Path(configured).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "hpc-nas"
