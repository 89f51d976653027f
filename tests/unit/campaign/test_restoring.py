"""What a strategy hears of a campaign, and hears again from the ledger when the campaign goes on."""

from __future__ import annotations

import json
from pathlib import Path

from recorder_helpers import Campaign, Listener, finished

from hpc_nas.campaign.restoring import restored_state
from hpc_nas.configuration import Configuration
from hpc_nas.records.ledger import SpaceExhausted, read_ledger
from hpc_nas.records.run_directory import RunDirectory


def heard_again(directory: RunDirectory) -> list[tuple[object, ...]]:
    listener = Listener()
    restored_state(Configuration(), directory=directory, strategy=listener)
    return listener.heard


def paused_in_turn(path: Path) -> Campaign:
    """The first is paused at its best, the second in vain, the third drained; then the first ends."""
    recorder = Campaign(path)
    recorder.begin()
    recorder.observe(0, 0.5, accuracy=40.0)
    recorder.observe(0, 1.0, accuracy=35.0)
    recorder.interrupt(0, "paused", epochs=1.0, checkpoint=recorder.save(0))
    recorder.observe(1, 1.0, accuracy=50.0)
    recorder.interrupt(1, "paused", epochs=1.0, checkpoint=None)
    recorder.observe(2, 1.0, accuracy=60.0)
    recorder.interrupt(2, "drained", epochs=1.0, checkpoint=recorder.save(2))
    recorder.recorder.start(recorder.state.entries[0], group=0)
    recorder.recorder.take(finished(0, attempt=1), group=0)
    recorder.ledger.close()
    recorder.agent.close()
    return recorder


def test_a_strategy_hears_of_pauses_that_count_and_again_on_resume(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    recorder = paused_in_turn(directory.path)
    assert recorder.strategy.heard == [
        ("drawn", 0),
        ("drawn", 1),
        ("drawn", 2),
        ("paused", 0, 1.0, 40.0),
        ("ended", 0),
    ]
    assert heard_again(directory) == recorder.strategy.heard


def test_a_ledger_that_does_not_know_the_accuracy_of_a_pause_is_read(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    paused_in_turn(directory.path)
    lines = [json.loads(line) for line in directory.ledger_path.read_text().splitlines()]
    for line in lines:
        line.pop("best_accuracy", None)
    directory.ledger_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert heard_again(directory) == [("drawn", 0), ("drawn", 1), ("drawn", 2), ("ended", 0)]


def test_a_strategy_that_finds_nothing_left_in_drawing_ends_the_campaign_with_what_it_has(
    tmp_path: Path,
) -> None:
    recorder = Campaign(tmp_path, strategy=Listener(num_networks=2))
    assert [recorder.recorder.draw() is None for _ in range(3)] == [False, False, True]
    assert recorder.state.num_new == 0
    recorder.recorder.commit()
    last = read_ledger(tmp_path / "ledger.jsonl").events[-1]
    assert isinstance(last, SpaceExhausted)
    assert last.num_candidates == 2
    recorder.ledger.close()
    recorder.agent.close()
