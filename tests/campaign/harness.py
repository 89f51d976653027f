"""Whole campaigns through the command line, as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.gate import HANG_S, Gate, told_to_leave, wait_for
from tools.ledger_events import count as count
from tools.ledger_events import events as events

__all__ = ["HANG_S", "Gate", "wait_for"]

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
FAULTY_SPACE = ROOT / "tests" / "mpi" / "faulty_space.py"
GRACE_S = 10

QUICK = (
    "campaign.name=quick",
    "training.max_epochs=2",
    "training.batch_size=64",
    "space.max_conv_layers=2",
    "space.max_filters=8",
    f"group.orphan_grace_s={GRACE_S}",
)


def write_campaign(path: Path, *, text: str = "") -> Path:
    """A campaign file; everything that matters to a test comes by --set."""
    path.write_text(text or '[data]\nname = "digits"\n', encoding="utf-8")
    return path


def arguments(campaign: Path, run_dir: Path, *settings: str) -> list[str]:
    """The command line of `hpc-nas run`."""
    line = [str(BIN / "hpc-nas"), "run", str(campaign), "--run-dir", str(run_dir)]
    for setting in settings:
        line += ["--set", setting]
    return line


def environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """One thread per rank, no colours."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120", **extra}


def run(line: list[str], *, extra: Mapping[str, str] = {}, timeout_s: float = 2 * HANG_S) -> Any:
    """Run to the end; (exit code, stdout, stderr) as CompletedProcess."""
    return subprocess.run(
        line,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
    )


def start(line: list[str]) -> subprocess.Popen[str]:
    """Start in a session of its own, as a batch job is."""
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def open_when_leaving(gate: Gate, run_dir: Path) -> None:
    """Open the gate once all groups have told their trainers to leave: none of them trains to its end instead."""
    logs = sorted((run_dir / "groups").glob("*/launch.log"))
    wait_for(lambda: told_to_leave(logs), what=f"the groups of {run_dir} to leave")
    gate.open()


def processes_of(run_dir: Path) -> list[str]:
    """Processes that name the run directory, in their arguments or through their working files."""
    done = subprocess.run(["ps", "-eo", "pid,stat,args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(run_dir) in line and " Z" not in line[:14]]


def children_left(pids: set[int]) -> list[int]:
    """Those of the processes that still run."""
    return [pid for pid in sorted(pids) if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
