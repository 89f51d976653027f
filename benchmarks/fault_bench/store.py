"""results.json: published whole after each step, so that a run that is stopped goes on where it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.environment import background_cpu_percent, describe_environment
from bench.results_file import load_results_file, publish_results_file

from fault_bench.values import Results
from hpc_nas.campaign.provenance import source_commit


def load_results(directory: Path) -> Results:
    """The results so far; empty without a file. Raises ValueError for a file that is none of ours."""
    return load_results_file(directory, Results)


def save_results(results: Results, directory: Path) -> None:
    """Publish at once or not at all."""
    publish_results_file(results.model_dump_json(indent=1), directory)


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
