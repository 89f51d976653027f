"""Finalists: which candidates they are, how they are trained, and which are never mixed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hpc_nas.campaign import finalists
from hpc_nas.campaign.finalists import (
    choose,
    finalists_configuration,
    run_finalists,
    run_with_finalists,
    stored_section,
)
from hpc_nas.campaign.opening import Opening
from hpc_nas.campaign.provenance import opened_here
from hpc_nas.campaign.resume import check_same_configuration
from hpc_nas.configuration import Configuration, DataSection, FinalistsSection
from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.ledger import CampaignClosed, CandidateDrawn, CandidateEnded, LedgerWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.given import GivenNetwork, as_option
from hpc_nas.values import Candidate, Outcome, Reason, State

FAILED = (State.FAILED, Reason.NON_FINITE)
FINISHED = (State.FINISHED, Reason.FULL_BUDGET)
STOPPED = (State.STOPPED, Reason.CONVERGED)


def configuration(
    *, count: int = 2, num_candidates: int = 5, max_epochs: float | None = 6.0
) -> Configuration:
    return Configuration.model_validate(
        {
            "campaign": {"name": "search", "num_candidates": num_candidates, "seed": 3},
            "constraints": {"max_parameters": 10},
            "training": {"max_epochs": 4.0},
            "finalists": {"count": count, "max_epochs": max_epochs},
        }
    )


def candidate(number: int) -> Candidate:
    parameters = {"width": number + 1}
    return Candidate(
        number=number, seed=100 + number, parameters=parameters, num_parameters=1, num_layers=1, macs=1
    )


def search(path: Path, *ends: tuple[tuple[State, Reason], float | None]) -> RunDirectory:
    """A run directory whose candidates ended so, with these estimates."""
    directory = RunDirectory.create(path)
    directory.publish(directory.configuration_path, configuration().model_dump_json())
    with LedgerWriter(directory.ledger_path) as ledger:
        for number, ((state, reason), estimate) in enumerate(ends):
            ledger.append(CandidateDrawn(candidate=candidate(number), time_s=1.0))
            outcome = Outcome(
                candidate=number, attempt=0, state=state, reason=reason, estimate=estimate, epochs=1.0
            )
            ledger.append(CandidateEnded(outcome=outcome, group=0, time_s=2.0))
    return directory


@pytest.fixture
def five(tmp_path: Path) -> RunDirectory:
    """Candidate 2 is the best, 1 and 4 are equal."""
    ends = [(FINISHED, 60.0), (STOPPED, 80.0), (STOPPED, 91.0), (FAILED, None), (FINISHED, 80.0)]
    return search(tmp_path / "run", *ends)


def numbers(directory: RunDirectory, **changes: int) -> list[int]:
    return [entry.candidate.number for entry in choose(directory, configuration(**changes))]


def test_best_by_estimate_come_first_and_equals_by_number(five: RunDirectory) -> None:
    assert numbers(five, count=2) == [2, 1]
    assert numbers(five, count=3) == [2, 1, 4]


def test_fewer_measured_than_asked_for_are_taken_and_told(
    five: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert numbers(five, count=9) == [2, 1, 4, 0]
    assert caplog.messages == [
        "9 finalists are asked for, but only 4 candidates were measured: these are the finalists"
    ]


def test_search_that_is_not_complete_is_told(five: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert numbers(five, num_candidates=8) == [2, 1]
    assert "5 of 8 candidates have ended; the finalists are the best of these" in caplog.text


def test_search_without_an_estimate_has_no_finalists(tmp_path: Path) -> None:
    directory = search(tmp_path / "run", (FAILED, None), (FAILED, None))
    with pytest.raises(RunDirectoryError, match="none of its 2 ended candidates has an estimate"):
        choose(directory, configuration())


def test_finalists_are_a_campaign_that_no_rule_stops(five: RunDirectory) -> None:
    finals = finalists_configuration(configuration(), choose(five, configuration()))
    assert (finals.campaign.name, finals.campaign.num_candidates) == ("search-finalists", 2)
    assert finals.search.options == {
        "networks": as_option(
            [GivenNetwork(parameters=candidate(n).parameters, seed=candidate(n).seed) for n in (2, 1)]
        )
    }
    assert (finals.search.name, finals.estimator.preset, finals.estimator.audit_share) == ("given", "none", 0)
    assert finals.max_epochs == 6.0
    assert finals.constraints.max_parameters is None
    assert finals.finalists == FinalistsSection(count=0, origins=(2, 1))
    assert finals.group.prefetch == 0
    # It is written down and read again, by the trainers and on resume.
    assert Configuration.model_validate_json(finals.model_dump_json()) == finals


def test_finalists_without_a_budget_of_their_own_have_the_searchs(five: RunDirectory) -> None:
    wanted = configuration(max_epochs=None)
    assert finalists_configuration(wanted, choose(five, wanted)).max_epochs == 4.0


def begun(five: RunDirectory) -> None:
    """Two finalists for 6 epochs lie there."""
    there = RunDirectory.create(five.finalists_dir)
    finals = finalists_configuration(configuration(), choose(five, configuration()))
    there.publish(there.configuration_path, finals.model_dump_json())


def test_what_lies_there_says_what_it_was_asked_for(five: RunDirectory) -> None:
    assert stored_section(five.path) is None
    begun(five)
    assert stored_section(five.path) == FinalistsSection(count=2, max_epochs=6.0)


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (configuration(count=1), "candidates 2 for 6 epochs"),
        (configuration(max_epochs=8.0), "candidates 2, 1 for 8 epochs"),
    ],
)
def test_other_finalists_are_not_mixed_with_those_that_lie_there(
    five: RunDirectory, wanted: Configuration, asked: str
) -> None:
    begun(five)
    with pytest.raises(
        RunDirectoryError, match=rf"finalists candidates 2, 1 for 6 epochs; asked for are {asked}: ask for"
    ):
        run_finalists(wanted, run_dir=five.path)


def test_more_finalists_follow_those_that_lie_there(
    five: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(five)
    monkeypatch.setattr(finalists, "run_campaign", lambda finals, **_: finals)
    more = run_finalists(configuration(count=3), run_dir=five.path)
    assert isinstance(more, Configuration)
    assert (more.campaign.num_candidates, more.finalists.origins) == (3, (2, 1, 4))
    check_same_configuration(RunDirectory.open(five.finalists_dir), more)


def test_finalists_are_not_trained_on_other_data_than_the_search_was(five: RunDirectory) -> None:
    with LedgerWriter(five.ledger_path) as ledger:
        ledger.append(opened_here(data={"fingerprint": "other"}, resumed=False))
    small = configuration().model_copy(update={"data": DataSection(name="digits")})
    with pytest.raises(
        RunDirectoryError, match=r"of other data than are there now: fingerprint .* other there"
    ):
        run_finalists(small, run_dir=five.path)
    assert not five.finalists_dir.exists()


def test_finalists_of_a_complete_search_are_not_trained_with_other_settings_than_it_was(
    five: RunDirectory,
) -> None:
    with LedgerWriter(five.ledger_path) as ledger:
        ledger.append(CampaignClosed(reason="complete", time_s=3.0))
    five.archive_path.touch()
    other = configuration().model_copy(update={"data": DataSection(seed=7)})
    with pytest.raises(RunDirectoryError, match=r"\[data\] seed: 0 there, 7 now"):
        run_with_finalists(other, run_dir=five.path, opening=Opening.AUTO)
    assert not five.finalists_dir.exists()


def test_search_that_still_runs_is_left_alone(five: RunDirectory) -> None:
    with five.lock(), pytest.raises(RunDirectoryError, match="is in use by the campaign process"):
        run_finalists(configuration(), run_dir=five.path)
