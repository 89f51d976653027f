"""Tells a platform file that stands where a campaign file belongs: by itself it would run the default campaign."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hpc_nas.configuration.loading import PLATFORM_TABLES
from hpc_nas.errors import ConfigurationError


def check_campaign_file(path: Path) -> None:
    """Raises ConfigurationError for a file with platform tables and no others; what else is wrong the loader says."""
    try:
        tables = list(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError):
        return
    if tables and set(tables) <= set(PLATFORM_TABLES):
        seen = " and ".join(f"[{table}]" for table in tables)
        raise ConfigurationError(
            f"{path.name}: only {seen} in it: a platform file, where a campaign file is to be named; use "
            f"CAMPAIGN.toml --platform {path}"
        )
