"""jobs/analyze.py: what users copy runs on an archive, with three packages."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from report_records import make_record, small_campaign

from hpc_nas.records.archive import write_archive
from hpc_nas.records.campaign_record import CampaignRecord

SCRIPT = Path(__file__).resolve().parents[3] / "jobs" / "analyze.py"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


def test_imports_nothing_but_three_packages() -> None:
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])

    assert imported - set(sys.stdlib_module_names) == {"h5py", "numpy", "matplotlib"}


@pytest.mark.parametrize("record", [small_campaign(), make_record()], ids=["small", "empty"])
def test_prints_the_best_and_draws(record: CampaignRecord, tmp_path: Path) -> None:
    write_archive(record, tmp_path / "campaign.h5")

    done = analyze(str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    best = [line.split()[:6] for line in lines[1:-1]]
    known = [
        ["1", "91.50", "90.00", "5", "12345", "stopped"],
        ["0", "80.00", "80.00", "20", "12345", "finished"],
    ]
    assert best == (known if len(record.candidates) else [])
    assert lines[-1] == f"drew {tmp_path / 'analysis.png'}"
    assert (tmp_path / "analysis.png").stat().st_size > 4000


def test_missing_archive_is_said_clearly(tmp_path: Path) -> None:
    done = analyze(str(tmp_path))

    assert done.returncode == 1
    assert (
        done.stderr.strip() == f"{tmp_path}/campaign.h5: no such file; it is written when the campaign ends"
    )


def test_wrong_usage_is_said_clearly() -> None:
    assert analyze().stderr.strip() == "usage: python analyze.py RUN_DIR"
