"""Candidates that are paused, promoted and settled in whole campaigns, as if they had never stood still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from estimator import Ended, History, Resumed, Standing
from hpc_nas.records.history_journal import read_history
from tests.campaign.curves import Curve, batches_by_attempt, curves, is_gapless
from tests.campaign.harness import (
    BIN,
    QUICK,
    Gate,
    arguments,
    count,
    events,
    open_when_leaving,
    run,
    start,
    wait_for,
    write_campaign,
)
from tests.campaign.reproduction import promote_again, reproduce

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

NUM_CANDIDATES = 12
SEARCH = (
    *QUICK,
    f"campaign.num_candidates={NUM_CANDIDATES}",
    "training.max_epochs=4",
    "estimator.audit_share=0",
)
PRESETS = {
    "asha": ("estimator.preset=asha",),
    "rungs": ("estimator.preset=rungs", "estimator.settings.form=promoting"),
    "adaptive": ("estimator.preset=adaptive",),
}


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Curve]:
    """The same candidates, only watched: nobody is stopped or paused."""
    path = tmp_path_factory.mktemp("truth")
    settings = (*SEARCH, *PRESETS["asha"], "estimator.mode=observe")
    done = run(arguments(write_campaign(path / "c.toml"), path / "run", *settings))
    assert done.returncode == 0, done.stdout + done.stderr
    found = curves(path / "run")
    assert sorted(found) == list(range(NUM_CANDIDATES))
    assert {len(curve) for curve in found.values()} == {8}
    return found


def outcomes(run_dir: Path) -> dict[int, dict[str, Any]]:
    """By number; each candidate has one."""
    ended = [e["outcome"] for e in events(run_dir) if e["event"] == "candidate_ended"]
    assert sorted(outcome["candidate"] for outcome in ended) == list(range(NUM_CANDIDATES))
    return {outcome["candidate"]: outcome for outcome in ended}


def check_records(run_dir: Path, truth: dict[int, Curve], *, killed: bool = False) -> None:
    """What holds for every campaign whose rule pauses, whatever happened to it on the way.

    A candidate may come to its end while no campaign listens: the history of one that was `killed` then has the
    beginning of a curve only, and knows no finished one.
    """
    ended = outcomes(run_dir)
    for number, curve in curves(run_dir).items():
        assert curve == truth[number][: len(curve)], f"candidate {number} is trained as if never paused"
        assert curve[-1][0] == ended[number]["epochs"]
    history = History(read_history(run_dir / "history.jsonl").events)
    unheard = {n for n, member in history.members.items() if member.curve.last_epoch < ended[n]["epochs"]}
    assert killed or not unheard
    assert {number: str(member.standing) for number, member in history.members.items()} == {
        number: "stopped" if number in unheard else outcome["state"] for number, outcome in ended.items()
    }
    assert list((run_dir / "checkpoints").iterdir()) == []
    again = reproduce(run_dir)
    assert again.decided_again == again.recorded
    promotions = promote_again(run_dir)
    assert promotions.promoted_again == promotions.recorded
    assert promotions.settled_again == promotions.settled


@pytest.mark.parametrize("preset", PRESETS)
def test_paused_candidates_are_promoted_or_settled(
    tmp_path: Path, truth: dict[int, Curve], preset: str
) -> None:
    run_dir = tmp_path / "run"
    done = run(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *SEARCH, *PRESETS[preset]))
    assert done.returncode == 0, done.stdout + done.stderr
    check_records(run_dir, truth)
    told = read_history(run_dir / "history.jsonl").events
    pauses = [e.candidate for e in told if isinstance(e, Ended) and e.standing is Standing.PAUSED]
    promoted = [e.candidate for e in told if isinstance(e, Resumed)]
    assert set(pauses) >= set(range(NUM_CANDIDATES)) - {
        n for n, o in outcomes(run_dir).items() if o["state"] == "finished"
    }
    assert promoted, "somebody is good enough to go on"
    assert set(promoted) <= set(pauses)
    assert {outcome["state"] for outcome in outcomes(run_dir).values()} <= {"finished", "stopped"}
    for number, attempts in batches_by_attempt(run_dir).items():
        assert is_gapless(attempts), f"candidate {number}: {attempts}"
    report = json.loads(run([str(BIN / "hpc-nas"), "report", str(run_dir), "--json"]).stdout)
    assert report["epochs_trained"] == sum(outcome["epochs"] for outcome in outcomes(run_dir).values())
    assert report["resumptions"]["epochs_trained_twice"] == 0.0
    assert report["resumptions"]["from_checkpoints"] == len(promoted)


def test_killed_campaign_goes_on_with_its_paused_candidates(tmp_path: Path, truth: dict[int, Curve]) -> None:
    """Of eight attempts three are paused at the least; those that come then wait at the gate."""
    run_dir, gate = tmp_path / "run", Gate(tmp_path / "gate")
    gate.close(passing=8)
    settings = (*SEARCH, *PRESETS["asha"], *gate.settings(), "checkpoints.interval_s=0")
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *settings))
    wait_for(lambda: count(run_dir, "attempt_interrupted") >= 3, what="three pauses")
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    open_when_leaving(gate, run_dir)
    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)])
    assert done.returncode == 0, done.stdout + done.stderr
    check_records(run_dir, truth, killed=True)
