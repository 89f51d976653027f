"""A small fault storm by the benchmark's own command: stopped in between, gone on with, and clean in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.harness import ROOT
from tools.slurm_cluster.machine import problem_with_hosts

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]


def test_small_storm_is_stopped_gone_on_with_and_loses_nothing(tmp_path: Path) -> None:
    if problem := problem_with_hosts():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm: {problem}")
    stopped = _storm(tmp_path, "--max-minutes", "0.2")  # somewhere in its first campaign, or behind it
    storm = _storm(tmp_path)
    assert storm["campaigns"][: len(stopped["campaigns"])] == stopped["campaigns"]
    kinds = {fault["kind"] for fault in storm["faults"]}
    assert {"trainer", "node", "campaign"} <= kinds
    for campaign in storm["campaigns"]:
        for zero in ("observations_lost", "candidates_lost", "counted_twice", "left_over"):
            assert campaign[zero] == [], (zero, campaign)
        assert campaign["batches_repeated_after_planned_ends"] == 0
    assert storm["left_over"] == []
    assert any(fault["recovered_s"] for fault in storm["faults"])
    report = (tmp_path / "report.md").read_text()
    assert "A quick run" in report
    assert "| candidates lost | 0 |" in report


def _storm(output: Path, *options: str) -> dict[str, Any]:
    line = [sys.executable, "-m", "benchmarks.run_faults", "--quick", "--only", "storm"]
    done = subprocess.run(
        [*line, "--output", str(output), *options],
        capture_output=True,
        text=True,
        timeout=3000,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    storm = json.loads((output / "results.json").read_text())["storm"]
    assert isinstance(storm, dict)
    return storm
