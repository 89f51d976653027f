"""From ledger and rank files to one record, at any time of the campaign."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest
from records_helpers import NAN, candidate, opened, same
from run_helpers import append, finished_run, leave, new_run, states, train

from hpc_nas.configuration import CampaignSection, Configuration, EstimatorSection, Mode
from hpc_nas.records import layout
from hpc_nas.records.archive import assemble, load_record
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    GroupReported,
    GroupStarted,
    NodeExcluded,
)
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Outcome, Reason, State


def test_finished_campaign_is_assembled(tmp_path: Path) -> None:
    record = assemble(finished_run(tmp_path / "run"))
    drawn = candidate(0)
    assert (record.name, record.host, record.commit) == ("campaign", "node1", "abc")
    assert (record.versions, record.data) == ({"numpy": "2"}, {"num_train": 10})
    assert (record.created_time, record.elapsed_s, record.close_reason) == (100.0, 12.5, "complete")
    assert record.configuration == Configuration().model_dump(mode="json")
    assert record.parameters == [drawn.parameters]
    assert record.problems == ()
    assert record.candidates.dtype.names is not None
    assert dict(zip(record.candidates.dtype.names, record.candidates[0].item(), strict=True)) == {
        "number": 0,
        "seed": drawn.seed,
        "num_parameters": drawn.num_parameters,
        "num_layers": 4,
        "macs": drawn.macs,
        "redraws": 2,
        "beyond_limits": 1,
        "audited": 0,
        "state": b"stopped",
        "reason": b"converged",
        "estimate": 88.5,
        "spread": 0.25,
        "best_accuracy": 87.0,
        "epochs": 2.0,
        "epochs_all_attempts": 2.25,
        "epochs_twice": 0.0,
        "attempts": 1,
        "resumptions": 0,
        "pauses": 0,
        "message": b"stable for 3 forecasts",
    }
    assert record.observations["epoch"].tolist() == [0.5, 1.0, 1.5, 2.0]
    sources = {
        name: getattr(record, name)[["group", "rank"]].tolist()
        for name in ("observations", "attempts", "forecasts", "outcomes")
    }
    assert sources == {
        "observations": [(0, 0)] * 4,
        "attempts": [(0, 0)],
        "forecasts": [(0, 1)],
        "outcomes": [(0, 1)],
    }


def test_running_campaign_is_assembled_from_files_being_written(tmp_path: Path) -> None:
    events: list[Event] = [opened(10.0)]
    events += [CandidateDrawn(candidate=candidate(number), time_s=11.0) for number in range(4)]
    events += [AttemptStarted(candidate=n, attempt=0, group=0, time_s=12.0) for n in range(3)]
    events += [
        AttemptLost(
            candidate=1, attempt=0, group=0, message="", charged=False, quarantined=True, time_s=13.0
        ),
        AttemptLost(
            candidate=2, attempt=0, group=0, message="", charged=True, quarantined=False, time_s=13.0
        ),
        AttemptStarted(candidate=2, attempt=1, group=1, time_s=14.0),
    ]
    directory = new_run(tmp_path / "run", events)
    for group in (0, 1):
        directory.create_group_dir(group)
    with (
        TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as first,
        TrainerFile(directory.rank_file_path(1, 1), group=1, rank=1, device="cpu") as second,
    ):
        train(first, 0, attempt=0, epochs=[0.5, 1.0])
        train(first, 2, attempt=0, epochs=[0.5, 1.0, 1.5])
        train(second, 2, attempt=1, epochs=[0.5])
        record = load_record(directory.path)
    assert states(record) == ["running", "queued", "running", "queued"]
    columns = ("epochs", "epochs_all_attempts", "best_accuracy", "attempts", "estimate", "reason")
    assert same(
        record.candidates[list(columns)].tolist(),
        [
            (1.0, 1.0, 51.0, 1, NAN, b""),
            (0.0, 0.0, NAN, 1, NAN, b""),
            (0.5, 2.0, 50.5, 2, NAN, b""),
            (0.0, 0.0, NAN, 0, NAN, b""),
        ],
    )
    assert (record.elapsed_s, record.close_reason) == (4.0, "")


def test_attempts_that_went_on_cost_what_they_trained(tmp_path: Path) -> None:
    """0: paused and promoted. 1: lost after its checkpoint, so one epoch is trained twice. 2: waits, paused."""
    name = "candidate-00000-attempt-000-batch-00000008.pt"

    def set_aside(number: int, how: Literal["paused", "drained"]) -> AttemptInterrupted:
        return AttemptInterrupted(
            candidate=number, attempt=0, group=0, how=how, epochs=1.0, checkpoint=name, time_s=2.0
        )

    def again(number: int) -> AttemptStarted:
        return AttemptStarted(candidate=number, attempt=1, group=0, checkpoint=name, time_s=3.0)

    events: list[Event] = [opened(1.0)]
    for number in range(3):
        events.append(CandidateDrawn(candidate=candidate(number), time_s=1.0))
        events.append(AttemptStarted(candidate=number, attempt=0, group=0, time_s=1.0))
    lost = AttemptLost(
        candidate=1, attempt=0, group=0, message="", charged=False, quarantined=False, time_s=2.0
    )
    events += [set_aside(0, "paused"), again(0), lost, again(1), set_aside(2, "paused")]
    events += [NodeExcluded(host=host, why="", time_s=3.0) for host in ("node7", "node3", "node7")]
    directory = new_run(tmp_path / "run", events)
    directory.create_group_dir(0)
    with TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as file:
        train(file, 0, attempt=0, epochs=[0.5, 1.0])
        leave(file, 0, attempt=0, epochs=1.0)
        train(file, 0, attempt=1, epochs=[0.5, 1.0], carried=True)
        train(file, 0, attempt=1, epochs=[1.5])
        leave(file, 0, attempt=1, epochs=1.5, start_epoch=1.0)
        train(file, 1, attempt=0, epochs=[0.5, 1.0, 1.5, 2.0])  # killed
        train(file, 1, attempt=1, epochs=[0.5, 1.0], carried=True)
        train(file, 1, attempt=1, epochs=[1.5, 2.0, 2.5])  # still running
        train(file, 2, attempt=0, epochs=[0.5, 1.0])
    record = assemble(directory)
    columns = ("epochs", "epochs_all_attempts", "epochs_twice", "attempts", "resumptions", "pauses")
    assert record.candidates[list(columns)].tolist() == [
        (1.5, 1.5, 0.0, 2, 1, 1),
        (2.5, 3.5, 1.0, 2, 1, 0),
        (1.0, 1.0, 0.0, 1, 0, 1),
    ]
    assert states(record) == ["running", "running", "paused"]
    assert record.excluded_nodes == ("node7", "node3")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (EstimatorSection(audit_share=0.03), [17, 52]),
        (EstimatorSection(audit_share=0.0), []),
        (EstimatorSection(mode=Mode.OBSERVE, audit_share=0.0), list(range(60))),
    ],
)
def test_audited_candidates_are_marked(
    tmp_path: Path, section: EstimatorSection, expected: list[int]
) -> None:
    drawn: list[Event] = [CandidateDrawn(candidate=candidate(number), time_s=1.0) for number in range(60)]
    directory = new_run(tmp_path / "run", drawn)
    configuration = Configuration(campaign=CampaignSection(seed=1), estimator=section)
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    record = assemble(directory)
    assert record.candidates["number"][record.candidates["audited"] == 1].tolist() == expected


def test_rank_file_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    path = directory.rank_file_path(0, 1)
    path.unlink()
    attributes = {"kind": "estimator", "schema_version": 3, "group": 0, "rank": 1}
    RowFileWriter(path, tables=layout.ESTIMATOR_TABLES, attributes=attributes).close()
    record = assemble(directory)
    assert record.problems == (
        f"{path}: schema version 3, but this hpc-nas reads 4; use the version that wrote it",
    )
    assert len(record.observations) == 4


def test_time_between_two_processes_does_not_count(tmp_path: Path) -> None:
    events: list[Event] = [
        opened(100.0),
        GroupStarted(group=0, time_s=105.0),
        opened(1000.0, resumed=True),
        GroupStarted(group=1, time_s=1003.0),
    ]
    record = assemble(new_run(tmp_path / "run", events))
    assert (record.created_time, record.elapsed_s) == (100.0, 8.0)


def test_campaign_that_has_just_begun_is_an_empty_record(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    directory.publish(directory.configuration_path, Configuration().model_dump_json())
    record = load_record(directory.path)
    assert (len(record.candidates), len(record.observations), record.elapsed_s) == (0, 0, 0.0)


def test_files_of_killed_writers_count_and_broken_ones_are_named(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    directory.create_group_dir(1)
    killed = directory.rank_file_path(1, 0)
    child = os.fork()
    if child == 0:
        try:
            train(TrainerFile(killed, group=1, rank=0, device="cpu"), 9, attempt=0, epochs=[0.5, 1.0])
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    whole = directory.rank_file_path(0, 0).read_bytes()
    directory.rank_file_path(1, 1).write_bytes(whole[: len(whole) // 2])
    directory.rank_file_path(1, 2).write_text("not HDF5")
    with h5py.File(directory.rank_file_path(1, 3), "w", libver="latest") as file:
        file["commit"] = np.zeros(1, dtype=[("observations", "<i8")])
        file.create_dataset("observations", shape=(0,), maxshape=(None,), dtype=[("epoch", "<f8")])
    record = assemble(directory)
    group_of_nine = record.observations[record.observations["candidate"] == 9][["group", "epoch"]]
    assert group_of_nine.tolist() == [(1, 0.5), (1, 1.0)]
    assert [Path(text.partition(": ")[0]).name for text in record.problems] == [
        "rank-00001.h5",
        "rank-00002.h5",
        "rank-00003.h5",
    ]
    assert "table 'observations' has no 'attempt'" in record.problems[2]


def test_candidate_that_a_group_holds_ready_is_queued(tmp_path: Path) -> None:
    """Two trainers have taken up the first two of those that still run; 0 has ended, 3 and 4 are held ready."""
    events: list[Event] = [opened(1.0), GroupReported(group=0, host="n", pid=1, num_trainers=2, time_s=2.0)]
    for number in range(5):
        events += [
            CandidateDrawn(candidate=candidate(number), time_s=2.0),
            AttemptStarted(candidate=number, attempt=0, group=0, time_s=3.0),
        ]
    ended = Outcome(candidate=0, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET, estimate=50.0)
    directory = new_run(tmp_path / "run", [*events, CandidateEnded(outcome=ended, group=0, time_s=4.0)])
    assert states(assemble(directory)) == ["finished", "running", "running", "queued", "queued"]
    append(
        directory,
        [
            AttemptInterrupted(
                candidate=1, attempt=0, group=0, how="paused", epochs=1.0, checkpoint="c.pt", time_s=5.0
            ),
            AttemptLost(
                candidate=2, attempt=0, group=0, message="", charged=False, quarantined=False, time_s=5.0
            ),
        ],
    )
    assert states(assemble(directory)) == ["finished", "paused", "queued", "running", "running"]


def test_candidate_that_has_been_seen_to_train_is_running(tmp_path: Path) -> None:
    """Its trainer has begun with it, and word of the candidate's end before it is under way."""
    events: list[Event] = [opened(1.0), GroupReported(group=0, host="n", pid=1, num_trainers=1, time_s=2.0)]
    for number in range(3):
        events += [
            CandidateDrawn(candidate=candidate(number), time_s=2.0),
            AttemptStarted(candidate=number, attempt=0, group=0, time_s=3.0),
        ]
    directory = new_run(tmp_path / "run", events)
    directory.create_group_dir(0)
    with TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as file:
        train(file, 1, attempt=0, epochs=[0.5])
        train(file, 2, attempt=0, epochs=[0.5], carried=True)
    assert states(assemble(directory)) == ["running", "running", "queued"]


def test_a_thousand_candidates_are_assembled_quickly(tmp_path: Path) -> None:
    events: list[Event] = [opened(1.0)]
    for number in range(1000):
        events += [
            CandidateDrawn(candidate=candidate(number), time_s=2.0),
            AttemptStarted(candidate=number, attempt=0, group=0, time_s=3.0),
            CandidateEnded(
                outcome=Outcome(
                    candidate=number,
                    attempt=0,
                    state=State.FINISHED,
                    reason=Reason.FULL_BUDGET,
                    estimate=50.0,
                    spread=0.0,
                    epochs=20.0,
                ),
                group=0,
                time_s=4.0,
            ),
        ]
    directory = RunDirectory.create(tmp_path / "run")
    directory.publish(directory.configuration_path, Configuration().model_dump_json())
    header = b'{"kind": "hpc-nas ledger", "schema_version": 2}'
    lines = [header, *(event.model_dump_json().encode() for event in events), b""]
    directory.ledger_path.write_bytes(b"\n".join(lines))  # without a thousand fsyncs
    directory.create_group_dir(0)
    with TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as trainer:
        for number in range(1000):
            train(trainer, number, attempt=0, epochs=[0.5 * (i + 1) for i in range(40)])
    start = time.process_time()
    record = assemble(directory)
    elapsed_s = time.process_time() - start
    assert record.candidates["epochs_all_attempts"].tolist() == [20.0] * 1000
    assert len(record.observations) == 40_000
    assert elapsed_s < 3.0  # about 0.3 on a free core
