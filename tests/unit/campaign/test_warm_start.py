"""A warm start: what earlier campaigns found out, for the strategy and the history; kept, so that a resume has it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from earlier_records import archive, configured, drawn, strategy

from estimator import Described, Ended, History, Observed, Standing
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.warm_start import earlier_events, knowledge_for, teach
from hpc_nas.configuration import Configuration
from hpc_nas.errors import ConfigurationError, RecordError, RunDirectoryError
from hpc_nas.records.earlier import Knowledge, read_knowledge
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.ledger import CandidateDrawn, LedgerWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.registry import DataSummary, load_task, summarize


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> DataSummary:
    return summarize(load_task(Configuration().data, cache_dir=tmp_path_factory.mktemp("cache")))


def test_finished_and_stopped_candidates_are_learnt_in_order(tmp_path: Path, summary: DataSummary) -> None:
    candidates = drawn(summary, count=4)
    states = ["stopped", "failed", "finished", "running"]
    first = archive(tmp_path / "a.h5", summary, candidates=candidates, states=states)
    second = archive(tmp_path / "b.h5", summary, candidates=candidates[:1], states=["finished"])
    knowledge = knowledge_for(configured(second, first), summary=summary, directory=None)
    assert [(e.campaign, e.candidate, e.outcome.label) for e in knowledge.candidates] == [
        (str(second), candidates[0], "finished"),
        (str(first), candidates[0], "stopped: converged"),
        (str(first), candidates[2], "finished"),
    ]
    last = knowledge.candidates[2]
    assert (last.outcome.estimate, last.outcome.spread, last.outcome.attempt) == (58.0, None, 1)
    assert (last.curve.epoch, last.curve.val_accuracy) == ((1.0, 2.0), (57.0, 58.0))


def test_in_the_history_they_have_numbers_below_zero_and_their_ends(
    tmp_path: Path, summary: DataSummary
) -> None:
    path = archive(
        tmp_path / "a.h5", summary, candidates=drawn(summary, count=2), states=["stopped", "finished"]
    )
    events = earlier_events(knowledge_for(configured(path), summary=summary, directory=None))
    kinds = [(type(event), event.candidate) for event in events]
    assert kinds == [(kind, -1) for kind in (Described, Observed, Ended)] + [
        (kind, -2) for kind in (Described, Observed, Observed, Ended)
    ]
    history = History(events)
    assert [(m.candidate, m.standing, m.audited) for m in history.members.values()] == [
        (-1, Standing.STOPPED, True),
        (-2, Standing.FINISHED, False),
    ]
    assert history.members[-2].curve.val_accuracy.tolist() == [53.0, 54.0]
    assert dict(history.features_of(-1))["num_layers"] > 0


def test_a_finished_candidate_whose_last_rows_are_lost_is_no_truth(
    tmp_path: Path, summary: DataSummary
) -> None:
    path = archive(tmp_path / "a.h5", summary, candidates=drawn(summary, count=1), states=["finished"])
    (earlier,) = knowledge_for(configured(path), summary=summary, directory=None).candidates
    cut = {name: column[:1] for name, column in earlier.curve.model_dump().items()}
    knowledge = Knowledge(
        candidates=(earlier.model_copy(update={"curve": earlier.curve.model_copy(update=cut)}),)
    )
    assert earlier_events(knowledge)[-1] == Ended(candidate=-1, standing=Standing.STOPPED, audited=True)


def test_tpe_draws_its_first_candidate_by_what_was_learnt(tmp_path: Path, summary: DataSummary) -> None:
    candidates = drawn(summary, count=12)
    path = archive(tmp_path / "a.h5", summary, candidates=candidates[:11], states=["finished"] * 11)
    configuration = configured(path)
    cold, warm, again, other = (strategy(summary, configuration) for _ in range(4))
    knowledge = knowledge_for(configuration, summary=summary, directory=None)
    for taught in (warm, again):
        teach(taught, knowledge)
    backwards = Knowledge(
        candidates=tuple(
            earlier.model_copy(
                update={"outcome": earlier.outcome.model_copy(update={"estimate": 100.0 - estimate})}
            )
            for earlier in knowledge.candidates
            if (estimate := earlier.outcome.estimate) is not None
        )
    )
    teach(other, backwards)
    assert cold.ask(0) == drawn(summary, count=1)[0]  # at random
    assert warm.ask(0) == again.ask(0)
    assert cold.ask(1) != warm.ask(1)
    assert warm.ask(2) != other.ask(2)


def test_keeper_begins_with_them_once(tmp_path: Path, summary: DataSummary) -> None:
    path = archive(
        tmp_path / "a.h5", summary, candidates=drawn(summary, count=2), states=["stopped", "finished"]
    )
    events = earlier_events(knowledge_for(configured(path), summary=summary, directory=None))
    journal = tmp_path / "history.jsonl"

    def begin(known: list[Any]) -> None:
        agent = HistoryRecorder(journal, is_audited=lambda number: False)
        agent.begin_with(known)
        agent.close()

    begin(events[:4])  # and then killed
    begin(events)
    begin(events)
    assert list(read_history(journal).events) == events


def test_campaign_that_goes_on_needs_the_earlier_ones_no_more(tmp_path: Path, summary: DataSummary) -> None:
    path = archive(tmp_path / "a.h5", summary, candidates=drawn(summary, count=2), states=["finished"] * 2)
    configuration = configured(path)
    directory = RunDirectory.create(tmp_path / "run")
    knowledge = knowledge_for(configuration, summary=summary, directory=directory)
    directory.publish(directory.warm_start_path, knowledge.model_dump_json())
    path.unlink()
    assert knowledge_for(configuration, summary=summary, directory=directory) == knowledge
    assert read_knowledge(directory.warm_start_path) == knowledge


def test_campaign_that_lost_what_it_began_with_is_refused(tmp_path: Path, summary: DataSummary) -> None:
    candidates = drawn(summary, count=1)
    path = archive(tmp_path / "a.h5", summary, candidates=candidates, states=["finished"])
    directory = RunDirectory.create(tmp_path / "run")
    with LedgerWriter(directory.ledger_path) as ledger:
        ledger.append(CandidateDrawn(candidate=candidates[0], time_s=1.0))
    with pytest.raises(RunDirectoryError, match=r"warm_start\.json is missing"):
        knowledge_for(configured(path), summary=summary, directory=directory)
    assert knowledge_for(configured(), summary=summary, directory=directory) == Knowledge()
    directory.publish(directory.warm_start_path, '{"kind": "something else"}')
    with pytest.raises(
        RecordError, match=r"warm_start\.json: does not hold what a campaign .* began with: kind"
    ):
        knowledge_for(configured(path), summary=summary, directory=directory)


def test_a_missing_archive_is_named(tmp_path: Path, summary: DataSummary) -> None:
    with pytest.raises(ConfigurationError) as refused:
        knowledge_for(configured(tmp_path / "none.h5"), summary=summary, directory=None)
    assert str(refused.value) == (
        f"[search] warm_start: {tmp_path / 'none.h5'}: no such file; name a run directory or its campaign.h5"
    )


def test_another_search_is_refused_with_what_differs(tmp_path: Path, summary: DataSummary) -> None:
    there = configured(
        space={"name": "random-cnn", "max_filters": 16, "max_conv_layers": 1},
        training={"max_epochs": 4.0, "epochs_per_interval": 1.0, "optimizer": "adam"},
        data={"seed": 3},
    )
    path = archive(tmp_path / "a.h5", summary, candidates=[], states=[], configuration=there)
    other = json.loads(json.dumps(asdict(summary), default=dict))
    now = type(summary)(**{**asdict(summary), "problem": summary.problem, "fingerprint": "f2"})
    with pytest.raises(ConfigurationError) as refused:
        knowledge_for(configured(path), summary=now, directory=None)
    assert str(refused.value).splitlines() == [
        f"[search] warm_start: {path} is of another search than this one, so its estimates say nothing here; leave it "
        "out, or search as it did:",
        "  [space] max_filters: 16 there, 8 now",
        "  [training] max_epochs: 4.0 there, 2.0 now",
        "  [training] optimizer: 'adam' there, None now",
        "  [data] seed: 3 there, 0 now",
        f"  fingerprint of the data set: {other['fingerprint']} there, f2 now",
    ]


def test_settings_left_to_their_defaults_are_the_same_as_those_given(
    tmp_path: Path, summary: DataSummary
) -> None:
    default = load_space(configured(space={"name": "random-cnn"}).space).options["max_conv_layers"]
    there = configured(space={"name": "random-cnn", "max_conv_layers": default, "max_filters": 8})
    path = archive(tmp_path / "a.h5", summary, candidates=[], states=[], configuration=there)
    now = configured(path, space={"name": "random-cnn", "max_filters": 8})
    assert knowledge_for(now, summary=summary, directory=None) == Knowledge()


def test_a_candidate_that_the_space_can_not_hold_is_named(tmp_path: Path, summary: DataSummary) -> None:
    candidates = drawn(summary, count=2)
    foreign = {**candidates[1].parameters, "conv1_filters": 99}
    candidates[1] = candidates[1].model_copy(update={"parameters": foreign})
    path = archive(tmp_path / "a.h5", summary, candidates=candidates, states=["finished"] * 2)
    configuration = configured(path)
    knowledge = knowledge_for(configuration, summary=summary, directory=None)
    with pytest.raises(
        ConfigurationError, match=rf"candidate 1 of {path} is none of this space .* 'conv1_filters'"
    ):
        teach(strategy(summary, configuration), knowledge)


def test_one_campaign_named_twice_is_refused(tmp_path: Path, summary: DataSummary) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"names one campaign twice: .*run, .*campaign\.h5"):
        knowledge_for(configured(directory.path, directory.archive_path), summary=summary, directory=None)


def test_an_archive_without_ended_candidates_is_a_warning(
    tmp_path: Path, summary: DataSummary, caplog: pytest.LogCaptureFixture
) -> None:
    path = archive(tmp_path / "a.h5", summary, candidates=drawn(summary, count=1), states=["failed"])
    with caplog.at_level(logging.WARNING):
        assert knowledge_for(configured(path), summary=summary, directory=None) == Knowledge()
    assert caplog.messages == [
        f"{path}: none of its candidates is finished or stopped; there is nothing to begin with"
    ]
