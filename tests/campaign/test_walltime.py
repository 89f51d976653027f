"""Campaigns that are cut and go on: no batch is trained twice, and the curves are those of one that was never cut."""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.records.archive import load_record
from tests.campaign.curves import Curve, batches_by_attempt, curves, is_gapless
from tests.campaign.harness import (
    BIN,
    QUICK,
    arguments,
    count,
    events,
    processes_of,
    run,
    start,
    wait_for,
    write_campaign,
)

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

NUM_CANDIDATES = 4
DRAIN_S = 10
LONG = (
    *QUICK,
    f"campaign.num_candidates={NUM_CANDIDATES}",
    "training.max_epochs=40",
    "training.epochs_per_interval=1",
    "estimator.preset=none",
    f"group.drain_s={DRAIN_S}",
    "group.orphan_grace_s=20",
)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The campaign in one piece: curves and batches by candidate; seconds from its start to the first observation."""

    curves: dict[int, Curve]
    batches: dict[int, int]
    start_s: float


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = tmp_path_factory.mktemp("whole")
    since = time.time()
    done = run(arguments(write_campaign(path / "c.toml"), path / "run", *LONG), timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = batches_by_attempt(path / "run")
    assert all(len(found) == 1 for found in attempts.values())
    return Whole(
        curves=curves(path / "run"),
        batches={number: found[0][1] for number, found in attempts.items()},
        start_s=float(load_record(path / "run").observations["time_s"].min()) - since,
    )


def check_outcomes(run_dir: Path) -> None:
    ended = [e["outcome"] for e in events(run_dir) if e["event"] == "candidate_ended"]
    assert Counter(outcome["candidate"] for outcome in ended) == Counter(range(NUM_CANDIDATES))
    assert {outcome["state"] for outcome in ended} == {"finished"}


def resumed_from_checkpoints(run_dir: Path) -> int:
    """Attempts that began so; those that were only held ready when the next end came began nothing."""
    lost = {(e["candidate"], e["attempt"]) for e in events(run_dir) if e["event"] == "attempt_lost"}
    started = [e for e in events(run_dir) if e["event"] == "attempt_started" and e["checkpoint"] is not None]
    return sum((e["candidate"], e["attempt"]) not in lost for e in started)


def pending(run_dir: Path) -> list[dict[str, Any]]:
    return [e for e in events(run_dir) if e["event"] == "attempt_interrupted"]


def cut(line: list[str], run_dir: Path, number: signal.Signals) -> None:
    """Start the campaign, or go on with it, and warn it as soon as something new was observed."""
    rows, drained = len(_rows(run_dir)), len(pending(run_dir))
    process = start(line)
    wait_for(
        lambda: len(_rows(run_dir)) > rows or process.poll() is not None, timeout_s=400, what="observations"
    )
    process.send_signal(number)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 3, output
    assert events(run_dir)[-1]["reason"] == f"stopped by {number.name}"
    assert processes_of(run_dir) == []
    new = pending(run_dir)[drained:]
    assert new, "the signal came while candidates were trained"
    assert all(e["how"] == "drained" and e["checkpoint"] for e in new)


def test_no_batch_is_trained_twice_after_warnings(tmp_path: Path, whole: Whole) -> None:
    """Cut twice, by each of the signals that schedulers send."""
    run_dir = tmp_path / "run"
    line = [*arguments(write_campaign(tmp_path / "c.toml"), run_dir, *LONG), "--auto-resume"]
    for number in (signal.SIGTERM, signal.SIGUSR1):
        cut(line, run_dir, number)

    done = run(line, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    check_outcomes(run_dir)
    assert resumed_from_checkpoints(run_dir) == len(pending(run_dir))
    assert curves(run_dir) == whole.curves
    attempts = batches_by_attempt(run_dir)
    assert all(is_gapless(found) for found in attempts.values()), attempts
    assert {n: found[-1][1] for n, found in attempts.items()} == whole.batches

    before = (run_dir / "ledger.jsonl").read_bytes()
    again = run(line)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "complete already" in again.stdout
    assert (run_dir / "ledger.jsonl").read_bytes() == before


def test_killed_campaigns_candidates_go_on_from_what_their_groups_saved(tmp_path: Path, whole: Whole) -> None:
    """The groups notice the silence, save what they train, and leave; the next campaign finds it."""
    run_dir = tmp_path / "run"
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *LONG))
    wait_for(lambda: bool(_rows(run_dir)), timeout_s=400, what="observations")
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)], timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    check_outcomes(run_dir)
    assert curves(run_dir) == whole.curves
    assert processes_of(run_dir) == []


def test_campaign_leaves_by_its_own_clock(tmp_path: Path, whole: Whole) -> None:
    run_dir = tmp_path / "run"
    line = arguments(write_campaign(tmp_path / "c.toml"), run_dir, *LONG, "campaign.num_candidates=400")
    deadline = time.time() + 2 * whole.start_s + DRAIN_S + 10.0
    done = run(line, extra={"HPC_NAS_DEADLINE": f"{deadline:.0f}"}, timeout_s=400)
    assert done.returncode == 3, done.stdout + done.stderr
    assert time.time() < deadline
    closed = events(run_dir)[-1]
    assert (closed["event"], closed["reason"]) == ("campaign_closed", "walltime")
    opened = events(run_dir)[0]
    assert opened["deadline_time"] == pytest.approx(deadline, abs=1.0)
    assert processes_of(run_dir) == []
    assert count(run_dir, "attempt_lost") <= 2 * 2  # held ready, never begun
    assert curves(run_dir)


def _rows(run_dir: Path) -> list[str]:
    """The journal's lines that tell an observation."""
    path = run_dir / "history.jsonl"
    return [line for line in path.read_text().splitlines() if '"observed"' in line] if path.exists() else []
