"""Worker groups that learn from each other: what they decided can be decided again from what was kept."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from estimator import Ended, History, Observed, Standing
from hpc_nas.configuration.audit import is_audited
from hpc_nas.records.history_journal import read_history
from tests.campaign.harness import (
    BIN,
    HANG_S,
    QUICK,
    Gate,
    arguments,
    children_left,
    count,
    events,
    open_when_leaving,
    processes_of,
    run,
    start,
    wait_for,
    write_campaign,
)
from tests.campaign.reproduction import Reproduction, reproduce

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

TWO_GROUPS = (*QUICK, "training.max_epochs=4", "group.groups_per_node=2", "group.trainers_per_node=1")
SEED = 4
SHARE = 0.2
NUM_KILLED = 10
BATCHES_PER_INTERVAL = 8  # of 64 of digits' 1150 training images, half an epoch


def groups_observed(run_dir: Path) -> set[int]:
    """The groups of whose candidates the journal tells an observation."""
    if not (run_dir / "history.jsonl").exists():
        return set()
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    observed = {
        json.loads(line)["candidate"] for line in lines if '"observed"' in line and line.endswith("}")
    }
    started = [event for event in events(run_dir) if event["event"] == "attempt_started"]
    return {event["group"] for event in started if event["candidate"] in observed}


def groups_known(found: Reproduction, journal: Path) -> list[tuple[int, set[int]]]:
    """For each decision to stop: its group, and the groups whose candidates it knew."""
    told = read_history(journal).events
    owner = {(int(row["candidate"])): int(row["group"]) for row in found.record.observations}
    stops = found.record.forecasts[found.record.forecasts["action"] == b"stop"]
    return [
        (
            int(row["group"]),
            {owner[e.candidate] for e in told[: row["history_version"]] if isinstance(e, Observed)},
        )
        for row in stops
    ]


def test_every_decision_can_be_made_again_from_the_journal(tmp_path: Path) -> None:
    run_dir, gate = tmp_path / "run", Gate(tmp_path / "gate")
    gate.close(batches=BATCHES_PER_INTERVAL + 3)
    settings = (
        *TWO_GROUPS,
        *gate.settings(),
        "campaign.num_candidates=16",
        f"campaign.seed={SEED}",
        "estimator.preset=prob-top",
        "estimator.settings.min_finished=4",
        f"estimator.audit_share={SHARE}",
    )
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *settings))
    wait_for(lambda: len(groups_observed(run_dir)) == 2, what="both groups' first observations")
    gate.open()  # from the first decision on each group has something that the other can learn
    output, _ = process.communicate(timeout=2 * HANG_S)
    assert process.returncode == 0, output
    found = reproduce(run_dir)
    assert found.decided_again == found.recorded
    known = groups_known(found, run_dir / "history.jsonl")
    assert known, "the seed was chosen so that some candidate is stopped"
    assert any(group not in others or len(others) > 1 for group, others in known)

    audited = {number for number in range(16) if is_audited(number, seed=SEED, share=SHARE)}
    ended = {
        e["outcome"]["candidate"]: e["outcome"] for e in events(run_dir) if e["event"] == "candidate_ended"
    }
    assert 0 < len(audited) < 16
    assert {ended[number]["state"] for number in audited} == {"finished"}
    assert {outcome["state"] for outcome in ended.values()} == {"finished", "stopped"}
    history = History(read_history(run_dir / "history.jsonl").events)
    assert {number: str(member.standing) for number, member in history.members.items()} == {
        number: outcome["state"] for number, outcome in ended.items()
    }
    assert {number for number, member in history.members.items() if member.audited} == audited

    report = json.loads(run([str(BIN / "hpc-nas"), "report", str(run_dir), "--json"]).stdout)
    assert report["audit"]["audited"] == len(audited)
    assert "trained to the end" in run([str(BIN / "hpc-nas"), "status", str(run_dir)]).stdout


@dataclass(frozen=True, kw_only=True)
class Killed:
    """A campaign that was killed and resumed: what stood in its journal and its ledger when it was taken up."""

    run_dir: Path
    told_before: tuple[Any, ...]
    finished_before: set[int]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    path = tmp_path_factory.mktemp("killed")
    run_dir = path / "run"
    gate = Gate(path / "gate")
    gate.close(batches=2, passing=4)
    settings = (
        *TWO_GROUPS,
        *gate.settings(),
        f"campaign.num_candidates={NUM_KILLED}",
        "estimator.preset=median",
        "estimator.settings.min_curves=2",
        "estimator.audit_share=0",
    )
    process = start(arguments(write_campaign(path / "c.toml"), run_dir, *settings))
    wait_for(lambda: count(run_dir, "candidate_ended") >= 4, what="four outcomes")
    family = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    family |= {
        p.pid for p in psutil.process_iter(["cmdline"]) if str(run_dir) in " ".join(p.info["cmdline"] or [])
    }
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    open_when_leaving(gate, run_dir)
    wait_for(lambda: children_left(family) == [], what="everything it started to leave")
    assert processes_of(run_dir) == []
    told = tuple(read_history(run_dir / "history.jsonl").events)
    finished = {e["outcome"]["candidate"] for e in events(run_dir) if e["event"] == "candidate_ended"}
    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)])
    assert done.returncode == 0, done.stdout + done.stderr
    return Killed(run_dir=run_dir, told_before=told, finished_before=finished)


def test_killed_campaign_is_resumed_without_repeating_finished_work(killed: Killed) -> None:
    after = events(killed.run_dir)
    reopened = max(i for i, e in enumerate(after) if e["event"] == "campaign_opened")
    assert after[reopened]["resumed"] is True
    again = {e["candidate"] for e in after[reopened:] if e["event"] == "attempt_started"}
    assert killed.finished_before & again == set()
    ended = Counter(e["outcome"]["candidate"] for e in after if e["event"] == "candidate_ended")
    assert ended == Counter(range(NUM_KILLED))
    seeds = [e["candidate"]["seed"] for e in after if e["event"] == "candidate_drawn"]
    assert len(seeds) == len(set(seeds)) == NUM_KILLED


def test_resumed_campaign_goes_on_with_the_history_of_the_one_that_was_killed(killed: Killed) -> None:
    run_dir, before = killed.run_dir, killed.told_before
    journal = run_dir / "history.jsonl"
    assert " raised " not in (run_dir / "campaign.log").read_text(), "no rank dies of what the history tells"
    after = read_history(journal).events
    assert repr(after[: len(before)]) == repr(before)
    assert len(after) > len(before)
    found = reproduce(run_dir)
    assert found.decided_again == found.recorded
    assert any(group not in others or len(others) > 1 for group, others in groups_known(found, journal))

    members = History(after).members
    for event in events(run_dir):
        if event["event"] == "candidate_ended":
            outcome, member = event["outcome"], members[event["outcome"]["candidate"]]
            # What was on its way to the killed process was heard by nobody: such a curve is only a beginning.
            whole = member.curve.last_epoch == outcome["epochs"]
            assert member.standing == (outcome["state"] if whole else "stopped")
    again = {e["candidate"] for e in events(run_dir) if e["event"] == "attempt_lost"}
    lost = {e.candidate for e in after if isinstance(e, Ended) and e.standing is Standing.LOST}
    assert lost <= again
