"""A whole search with finalists: killed among them, it goes on and leaves what nothing had happened to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpc_nas.training.export import load_network
from tests.campaign.harness import (
    BIN,
    QUICK,
    Gate,
    arguments,
    count,
    open_when_leaving,
    processes_of,
    run,
    start,
    wait_for,
    write_campaign,
)

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]


def test_killed_finalists_go_on_and_are_saved_while_the_search_stays_as_it_is(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    finals = run_dir / "finalists"
    settings = ("campaign.num_candidates=1", "finalists.count=1", "finalists.max_epochs=8")
    gate = Gate(tmp_path / "gate")
    gate.close(batches=11, passing=1)  # not the search's one candidate: the finalist, once validated
    settings = (*settings, *gate.settings(), "checkpoints.interval_s=0", "estimator.preset=none")
    line = arguments(write_campaign(tmp_path / "c.toml"), run_dir, *QUICK, *settings)
    process = start(line)
    wait_for(lambda: any(finals.glob("checkpoints/*.pt")), what="a finalist's checkpoint")
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    open_when_leaving(gate, finals)
    wait_for(lambda: processes_of(run_dir) == [], what="everything to leave")
    searched = [(run_dir / name).read_bytes() for name in ("ledger.jsonl", "campaign.h5")]

    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(run_dir / name).read_bytes() for name in ("ledger.jsonl", "campaign.h5")] == searched
    assert count(finals, "candidate_ended") == 1

    where = finals / "networks" / "candidate-00000"
    load_network(where)
    result = json.loads((where / "result.json").read_text())
    assert (result["epochs"], result["test_set"]) == (8.0, "untouched")
    assert f"{result['val_accuracy']:.2f}" in done.stdout
    assert f"{result['test_accuracy']:.2f}" in done.stdout
