"""A campaign that begins with what an earlier one found out, is killed, and goes on without that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from estimator import Ended
from hpc_nas.campaign.warm_start import earlier_events, teach
from hpc_nas.configuration import read_configuration
from hpc_nas.records.earlier import read_knowledge
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.tasks.registry import load_task, summarize
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
from tests.campaign.reproduction import reproduce
from tests.unit.campaign.earlier_records import archive, configured, drawn, strategy

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

NUM_EARLIER = 12
LIMITS = {"max_conv_layers": 2, "max_filters": 8}


def test_killed_campaign_goes_on_with_what_it_learnt_at_its_start(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    gate.close(passing=2)
    earlier = configured(
        space={**gate.space, "inner": "random-cnn", **LIMITS}, training={"max_epochs": 2.0, "batch_size": 64}
    )
    summary = summarize(load_task(earlier.data, cache_dir=tmp_path))
    record = archive(
        tmp_path / "earlier.h5",
        summary,
        candidates=drawn(summary, count=NUM_EARLIER),
        states=["finished"] * NUM_EARLIER,
        configuration=earlier,
    )
    run_dir = tmp_path / "run"
    settings = (
        *QUICK,
        *gate.settings(),
        "campaign.num_candidates=6",
        "search.name=tpe",
        f'search.warm_start=["{record}"]',
        "estimator.preset=baker",
        "estimator.settings.burn_in=5",
        "estimator.settings.certainty=0.6",
        "estimator.audit_share=0",
    )
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *settings))
    wait_for(lambda: count(run_dir, "candidate_ended") >= 2, what="two outcomes")
    process.kill()
    process.communicate()
    open_when_leaving(gate, run_dir)
    record.unlink()
    told_before = read_history(run_dir / "history.jsonl").events

    done = run([str(BIN / "hpc-nas"), "run", "--resume", "--run-dir", str(run_dir)])
    assert done.returncode == 0, done.stdout + done.stderr
    told = read_history(run_dir / "history.jsonl").events
    assert told[: len(told_before)] == told_before

    directory = RunDirectory.open(run_dir)
    knowledge = read_knowledge(directory.warm_start_path)
    first = earlier_events(knowledge)
    assert list(told[: len(first)]) == first
    assert sum(isinstance(event, Ended) for event in first) == NUM_EARLIER

    # The first candidate was chosen by what was learnt.
    configuration = read_configuration(directory.configuration_path)
    taught = strategy(summary, configuration)
    teach(taught, knowledge)
    ledger = events(run_dir)
    candidates = [event["candidate"] for event in ledger if event["event"] == "candidate_drawn"]
    assert candidates[0]["parameters"] == taught.ask(0).parameters
    ended = [event["outcome"]["candidate"] for event in ledger if event["event"] == "candidate_ended"]
    assert sorted(ended) == list(range(6))
    # And judged by it from its first observation on, as all others: nobody comes near the 94 % there. (Whether a
    # training this short is still caught is another matter.)
    found = reproduce(run_dir)
    assert found.decided_again == found.recorded
    decisions = {(row["action"], row["reason"]) for row in found.record.forecasts}
    assert decisions == {(b"stop", b"unlikely_best")}
