"""Who is charged when a group dies: the candidate whose rank died first, or nobody, or quarantined."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpc_nas.campaign.losses import Loss, LossAssessor
from hpc_nas.configuration import Configuration, EstimatorSection
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.platforms.processes.group_task import GroupExit
from hpc_nas.records.run_directory import RunDirectory

NOBODY: frozenset[int] = frozenset()


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory.create(tmp_path / "run")
    made.create_group_dir(0)
    return made


def assess(
    directory: RunDirectory,
    *,
    exit: GroupExit | None,
    training: dict[int, int],
    in_flight: tuple[int, ...] = (5, 6, 7),
    error: str = "",
) -> Loss:
    """Two trainers (ranks 0 and 1), the estimator is rank 2; candidates 5 and 6 train, 7 is held ready."""
    configuration = Configuration(estimator=EstimatorSection(preset="none"))
    assessor = LossAssessor(
        directory, configuration=configuration, preset=make_preset(configuration, chance_accuracy=10.0)
    )
    for trainer, candidate in training.items():
        assessor.started(0, trainer, candidate=candidate)
    return assessor.examine(
        0, num_trainers=2, in_flight=[(number, 0) for number in in_flight], exit=exit, error=error
    )


def died(directory: RunDirectory, rank: int, *, exit_code: int = -9) -> None:
    record = {"rank": str(rank), "pid": 1, "exit_code": exit_code, "time_s": 1.0}
    (directory.group_dir(0) / f"died-{rank}.json").write_text(json.dumps(record))


CRASHED = GroupExit(group=0, exit_code=9, killed="", host="n3")


def test_candidate_of_the_rank_that_died_is_charged_and_no_other(directory: RunDirectory) -> None:
    died(directory, 1)
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == ({6}, NOBODY)
    assert loss.message == "group 0 on n3: rank 1, training candidate 6, was killed by SIGKILL"


def test_rank_that_died_before_word_of_its_candidate_came_makes_suspects(directory: RunDirectory) -> None:
    died(directory, 1)
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 4})
    assert (loss.charged, loss.quarantined) == (NOBODY, {5, 6, 7})


def test_death_without_a_trace_makes_suspects_of_all_in_flight(directory: RunDirectory) -> None:
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == (NOBODY, {5, 6, 7})


def test_candidate_that_was_alone_is_charged_without_a_trace(directory: RunDirectory) -> None:
    loss = assess(directory, exit=CRASHED, training={0: 5}, in_flight=(5,))
    assert (loss.charged, loss.quarantined) == ({5}, NOBODY)


def test_dead_estimator_rank_charges_nobody(directory: RunDirectory) -> None:
    died(directory, 2)
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)


def test_group_killed_by_its_keeper_charges_nobody_whatever_its_wardens_wrote(
    directory: RunDirectory,
) -> None:
    died(directory, 0, exit_code=-15)
    killed = GroupExit(group=0, exit_code=-15, killed="its estimator rank gave no sign of life for 31 s")
    loss = assess(directory, exit=killed, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)
    assert loss.message == ("group 0 was killed: its estimator rank gave no sign of life for 31 s")


def test_group_lost_with_its_node_charges_nobody(directory: RunDirectory) -> None:
    loss = assess(directory, exit=None, training={0: 5, 1: 6}, error="node n3 was lost")
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)
    assert loss.message == "group 0 is lost: node n3 was lost"


def test_group_that_gave_up_over_a_hung_neighbour_charges_nobody(directory: RunDirectory) -> None:
    words = {"rank": 2, "error": "NobodyToCharge: trainer 0 hangs", "time_s": 1.0, "charge": False}
    directory.last_words_path(0, 2).write_text(json.dumps(words))
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)
    assert loss.message == "group 0 on n3: rank 2 ended the group: NobodyToCharge: trainer 0 hangs"


def test_rank_that_dies_while_its_node_is_cleared_charges_nobody(directory: RunDirectory) -> None:
    died(directory, 0, exit_code=-15)
    told = GroupExit(group=0, exit_code=143, killed="", host="n3", told="its node was sent SIGTERM")
    loss = assess(directory, exit=told, training={0: 5, 1: 6})
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)
    assert loss.message == (
        "group 0 ended with exit code 143 on n3 while it was leaving: its node was sent SIGTERM"
    )


def test_group_that_left_in_order_says_what_made_it(directory: RunDirectory) -> None:
    told = GroupExit(group=0, exit_code=0, killed="", host="n3", told="its node was sent SIGUSR1")
    loss = assess(directory, exit=told, training={})
    assert loss.message == "group 0 left in order on n3: its node was sent SIGUSR1"


def test_what_dies_while_it_is_sent_away_is_forgiven(directory: RunDirectory) -> None:
    died(directory, 0)
    loss = assess(directory, exit=CRASHED, training={0: 5, 1: 6}).forgiven()
    assert (loss.charged, loss.quarantined) == (NOBODY, NOBODY)
