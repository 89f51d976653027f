"""Where downloaded and unpacked data sets are kept between campaigns."""

from __future__ import annotations

import os
from pathlib import Path

from hpc_nas.configuration.paths import expand_path


def data_cache_dir() -> Path:
    """$HPC_NAS_CACHE, else hpc-nas under $XDG_CACHE_HOME, else ~/.cache/hpc-nas.

    Trainers on other nodes must see the same path; where the home directory is not shared, set HPC_NAS_CACHE.
    Raises ConfigurationError where there is no home directory.
    """
    if configured := os.environ.get("HPC_NAS_CACHE"):
        return Path(expand_path(configured, where="HPC_NAS_CACHE"))
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (
        Path(expand_path(base, where="the cache of data sets ($HPC_NAS_CACHE, $XDG_CACHE_HOME)")) / "hpc-nas"
    )
