"""Campaigns that are cut and go on: no batch is trained twice, and the curves are those of one that was never cut."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.curves import Curve, batches_by_attempt, curves, is_gapless
from tests.campaign.harness import (
    BIN,
    HANG_S,
    QUICK,
    Gate,
    arguments,
    count,
    events,
    open_when_leaving,
    processes_of,
    run,
    start,
    wait_for,
    write_campaign,
)
from tests.clock import MovedClock

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

NUM_CANDIDATES = 4
DRAIN_S = 60
WAITING = 20  # batches of an attempt: an epoch has 17, of 64 of digits' 1150 training images
SEARCH = (
    *QUICK,
    f"campaign.num_candidates={NUM_CANDIDATES}",
    "training.max_epochs=8",
    "training.epochs_per_interval=1",
    "estimator.preset=none",
    f"group.drain_s={DRAIN_S}",
    "group.orphan_grace_s=40",
)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The campaign in one piece: curves and batches by candidate."""

    curves: dict[int, Curve]
    batches: dict[int, int]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Each attempt waits there, a few batches behind its first observation."""
    gate = Gate(tmp_path / "gate")
    gate.close(batches=WAITING)
    return gate


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = tmp_path_factory.mktemp("whole")
    gate = Gate(path / "gate")  # open: these are the same networks, and nobody waits
    done = run(arguments(write_campaign(path / "c.toml"), path / "run", *SEARCH, *gate.settings()))
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = batches_by_attempt(path / "run")
    assert all(len(found) == 1 for found in attempts.values())
    return Whole(
        curves=curves(path / "run"),
        batches={number: found[0][1] for number, found in attempts.items()},
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


def cut(line: list[str], run_dir: Path, number: signal.Signals, *, gate: Gate) -> None:
    """Start the campaign, or go on with it, and warn it as soon as something new was observed."""
    gate.close(batches=WAITING)
    rows, drained = len(_rows(run_dir)), len(pending(run_dir))
    process = start(line)
    wait_for(lambda: len(_rows(run_dir)) > rows or process.poll() is not None, what="observations")
    process.send_signal(number)
    open_when_leaving(gate, run_dir)
    output, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 3, output
    assert events(run_dir)[-1]["reason"] == f"stopped by {number.name}"
    assert processes_of(run_dir) == []
    new = pending(run_dir)[drained:]
    assert new, "the signal came while candidates were trained"
    assert all(e["how"] == "drained" and e["checkpoint"] for e in new)


def test_no_batch_is_trained_twice_after_warnings(tmp_path: Path, whole: Whole, gate: Gate) -> None:
    """Cut twice, by each of the signals that schedulers send."""
    run_dir = tmp_path / "run"
    line = [
        *arguments(write_campaign(tmp_path / "c.toml"), run_dir, *SEARCH, *gate.settings()),
        "--auto-resume",
    ]
    for number in (signal.SIGTERM, signal.SIGUSR1):
        cut(line, run_dir, number, gate=gate)

    done = run(line)
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


def test_killed_campaigns_candidates_go_on_from_what_their_groups_saved(
    tmp_path: Path, whole: Whole, gate: Gate
) -> None:
    """The groups notice the silence, save what they train, and leave; the next campaign finds it."""
    run_dir = tmp_path / "run"
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *SEARCH, *gate.settings()))
    wait_for(lambda: bool(_rows(run_dir)), what="observations")
    process.kill()
    open_when_leaving(gate, run_dir)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)])
    assert done.returncode == 0, done.stdout + done.stderr
    check_outcomes(run_dir)
    assert curves(run_dir) == whole.curves
    assert processes_of(run_dir) == []


def test_campaign_leaves_by_its_own_clock(tmp_path: Path, gate: Gate) -> None:
    """An hour is left when it starts; once something was observed, the clock is moved on to where the end is near."""
    run_dir, clock = tmp_path / "run", MovedClock(tmp_path / "clock")
    line = arguments(write_campaign(tmp_path / "c.toml"), run_dir, *SEARCH, *gate.settings())
    deadline = time.time() + 3600.0
    with clock.environment(os.environ), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPC_NAS_DEADLINE", f"{deadline:.0f}")
        process = start(line)
    wait_for(lambda: bool(_rows(run_dir)), what="observations")
    clock.move(deadline - DRAIN_S - time.time())
    open_when_leaving(gate, run_dir)
    output, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 3, output
    assert clock.time() < deadline
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
