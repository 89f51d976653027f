"""results.json: published whole after each step, so that a run that is stopped goes on where it was."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.environment import background_cpu_percent, describe_environment
from pydantic import ValidationError

from fault_bench.values import Results
from hpc_nas.campaign.provenance import source_commit

RESULTS_NAME = "results.json"


def load_results(directory: Path) -> Results:
    """The results so far; empty without a file. Raises ValueError for a file that is none of ours."""
    path = directory / RESULTS_NAME
    if not path.exists():
        return Results()
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: no results of this benchmark; move it away: {error}") from error


def save_results(results: Results, directory: Path) -> None:
    """Publish at once or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{RESULTS_NAME}.{os.getpid()}.tmp"
    temporary.write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, directory / RESULTS_NAME)


def conditions(**configuration: Any) -> dict[str, Any]:
    """Machine, software, commit, how busy others keep the machine, and what was asked for."""
    return {
        "commit": source_commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "background_cpu_percent": background_cpu_percent(),
        "environment": describe_environment(),
        "configuration": configuration,
    }


def continued(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The conditions of what was begun before and goes on now: both commits, and the busiest machine."""
    commits = [*before["commit"].split(", "), now["commit"]]
    return {
        **before,
        "commit": ", ".join(dict.fromkeys(commits)),
        "background_cpu_percent": max(before["background_cpu_percent"], now["background_cpu_percent"]),
    }
