"""A new campaign, one that goes on, or whichever is the case; and one that has nothing left to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.campaign.opening import Opening, expects_campaign, is_complete
from hpc_nas.campaign.resume import OnDifference
from hpc_nas.campaign.run import ALREADY_COMPLETE, run_campaign
from hpc_nas.configuration import CampaignSection, Configuration
from hpc_nas.records.ledger import (
    CampaignClosed,
    CandidateDrawn,
    CandidateEnded,
    Event,
    LedgerWriter,
    NodeExcluded,
    SpaceExhausted,
)
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Outcome, Reason, State


def ended(number: int) -> list[Event]:
    drawn = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
    outcome = Outcome(candidate=number, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
    return [
        CandidateDrawn(candidate=drawn, time_s=1.0),
        CandidateEnded(outcome=outcome, group=0, time_s=2.0),
    ]


def closed(path: Path, *, num_ended: int) -> tuple[RunDirectory, Configuration]:
    """A campaign of two candidates that left in order."""
    directory = RunDirectory.create(path)
    configuration = Configuration(campaign=CampaignSection(num_candidates=2))
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    with LedgerWriter(directory.ledger_path) as ledger:
        for event in [event for number in range(num_ended) for event in ended(number)]:
            ledger.append(event)
        ledger.append(CampaignClosed(reason="complete", time_s=3.0))
    directory.archive_path.touch()
    return directory, configuration


def test_what_lies_there_decides_only_where_either_will_do(tmp_path: Path) -> None:
    directory, _ = closed(tmp_path / "run", num_ended=1)
    answers = {
        (opening, path): expects_campaign(path, opening)
        for opening in Opening
        for path in (directory.path, tmp_path / "none")
    }
    assert answers == {
        (Opening.NEW, directory.path): False,
        (Opening.NEW, tmp_path / "none"): False,
        (Opening.RESUME, directory.path): True,
        (Opening.RESUME, tmp_path / "none"): True,
        (Opening.AUTO, directory.path): True,
        (Opening.AUTO, tmp_path / "none"): False,
    }


@pytest.mark.parametrize(("num_ended", "complete"), [(1, False), (2, True)])
def test_campaign_is_complete_once_all_have_outcomes_and_the_books_are_closed(
    tmp_path: Path, num_ended: int, complete: bool
) -> None:
    directory, configuration = closed(tmp_path / "run", num_ended=num_ended)
    assert is_complete(directory, configuration) is complete
    more = configuration.model_copy(update={"campaign": CampaignSection(num_candidates=3)})
    assert not is_complete(directory, more)
    with LedgerWriter(directory.ledger_path) as ledger:
        ledger.append(NodeExcluded(host="n1", why="died", time_s=4.0))  # a process that was killed
    assert not is_complete(directory, configuration)


def test_campaign_whose_space_is_exhausted_is_complete_with_what_there_was(tmp_path: Path) -> None:
    directory, configuration = closed(tmp_path / "run", num_ended=2)
    more = configuration.model_copy(update={"campaign": CampaignSection(num_candidates=40)})
    assert not is_complete(directory, more)
    with LedgerWriter(directory.ledger_path) as ledger:
        ledger.append(SpaceExhausted(num_candidates=2, time_s=4.0))
        ledger.append(CampaignClosed(reason="complete", time_s=5.0))
    assert is_complete(directory, more)


def test_chained_job_that_finds_a_complete_campaign_does_nothing_at_all(tmp_path: Path) -> None:
    directory, configuration = closed(tmp_path / "run", num_ended=2)
    before = {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()}
    result = run_campaign(
        configuration,
        run_dir=directory.path,
        opening=Opening.AUTO,
        on_difference=OnDifference.REFUSE,
    )
    assert (result.complete, result.reason) == (True, ALREADY_COMPLETE)
    assert {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()} == before
