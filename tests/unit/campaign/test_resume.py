"""Going on with a campaign: it must be the same one, or it shows what differs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.campaign.resume import OnDifference, check_same_campaign, check_same_configuration
from hpc_nas.configuration import Configuration
from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.ledger import CampaignOpened, LedgerWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.given import GivenNetwork, as_option


def stored(path: Path, **tables: Any) -> tuple[RunDirectory, Configuration]:
    """A run directory that holds the configuration of these tables."""
    directory = RunDirectory.create(path)
    configuration = Configuration.model_validate(tables)
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    return directory, configuration


def test_same_configuration_goes_on(tmp_path: Path) -> None:
    directory, configuration = stored(tmp_path / "run", space={"name": "mine", "max_filters": 8})
    before = directory.configuration_path.read_bytes()
    check_same_configuration(directory, configuration)
    assert directory.configuration_path.read_bytes() == before


def given(*widths: int, seed: int = 1) -> dict[str, str]:
    networks = [GivenNetwork(parameters={"width": width}, seed=seed) for width in widths]
    return {"name": "given", "networks": as_option(networks)}


def test_a_list_of_networks_may_have_become_longer(tmp_path: Path) -> None:
    directory, _ = stored(tmp_path / "run", search=given(4, 5))
    check_same_configuration(directory, Configuration.model_validate({"search": given(4, 5, 6)}))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (given(4, 6, 5), "another one at place 1 of 2 there, 3 now"),
        (given(4), "another one at place 1 of 2 there, 1 now"),
        (given(4, 5, seed=2), "another one at place 0 of 2 there, 2 now"),
    ],
)
def test_another_list_of_networks_is_another_campaign(tmp_path: Path, now: dict[str, str], said: str) -> None:
    directory, _ = stored(tmp_path / "run", search=given(4, 5))
    with pytest.raises(RunDirectoryError, match=rf"\[search\] networks: {said}$"):
        check_same_configuration(directory, Configuration.model_validate({"search": now}))


def test_every_difference_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    directory, _ = stored(
        tmp_path / "run",
        campaign={"seed": 5},
        space={"name": "random-cnn", "max_filters": 8, "batch_size": 32},
        estimator={"settings": {"window": 3}},
    )
    before = directory.configuration_path.read_bytes()
    other = Configuration.model_validate(
        {
            "campaign": {"seed": 6},
            "space": {"name": "random-cnn", "max_filters": 8, "min_filters": 2},
            "training": {"max_epochs": 10.0},
            "estimator": {"settings": {"window": 4}},
            "group": {"trainers_per_node": 5},
        }
    )
    with pytest.raises(RunDirectoryError) as refused:
        check_same_configuration(directory, other)
    assert str(refused.value).splitlines() == [
        f"{directory.path} holds another campaign than this one; go on with what it was made with "
        f"(hpc-nas run --resume --run-dir {directory.path} takes its configuration), start a new one elsewhere, "
        "or go on all the same with --force:",
        "  [campaign] seed: 5 there, 6 now",
        "  [space] batch_size: 32 there, None now",
        "  [space] min_filters: None there, 2 now",
        "  [training] max_epochs: 20.0 there, 10.0 now",
        "  [estimator] settings: {'window': 3} there, {'window': 4} now",
    ]
    assert directory.configuration_path.read_bytes() == before


@pytest.mark.parametrize(
    "tables",
    [
        {"platform": {"mpiexec": "/opt/mpi/bin/mpiexec"}, "group": {"trainers_per_node": 7}},
        {"campaign": {"num_candidates": 99}},
    ],
)
def test_where_it_runs_and_how_many_candidates_may_change(tmp_path: Path, tables: dict[str, Any]) -> None:
    directory, _ = stored(tmp_path / "run")
    before = directory.configuration_path.read_bytes()
    check_same_configuration(directory, Configuration.model_validate(tables))
    # It only looks: the campaign writes what changed once it holds the lock.
    assert directory.configuration_path.read_bytes() == before


def opened(**changes: Any) -> CampaignOpened:
    """What a campaign process says of itself."""
    facts: dict[str, Any] = {
        "host": "node1",
        "pid": 1,
        "hpc_nas_version": "0.3.0",
        "commit": "abc",
        "versions": {"hpc-nas": "0.3.0", "numpy": "2.0", "torch": "2.9"},
        "data": {"num_train": 10, "checksum": "c1", "fingerprint": "f1"},
        "resumed": False,
        "time_s": 1.0,
    }
    return CampaignOpened(**facts | changes)


def with_ledger(path: Path, *processes: CampaignOpened) -> tuple[RunDirectory, Configuration]:
    directory, configuration = stored(path)
    with LedgerWriter(directory.ledger_path) as ledger:
        for process in processes:
            ledger.append(process)
    return directory, configuration


def test_other_code_and_other_data_are_shown_and_refused(tmp_path: Path) -> None:
    directory, configuration = with_ledger(tmp_path / "run", opened())
    check_same_campaign(directory, configuration, opened=opened(pid=2, host="n2"), then=OnDifference.REFUSE)
    now = opened(
        hpc_nas_version="0.4.0", commit="abc+", data={"num_train": 10, "checksum": "c1", "fingerprint": "f2"}
    )
    with pytest.raises(RunDirectoryError) as refused:
        check_same_campaign(directory, configuration, opened=now, then=OnDifference.REFUSE)
    assert str(refused.value).splitlines()[1:] == [
        "  version of hpc-nas: 0.3.0 there, 0.4.0 now",
        "  commit of hpc-nas: abc there, abc+ now",
        "  fingerprint of the data set: f1 there, f2 now",
    ]


def test_forced_campaign_goes_on_and_shows_what_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory, _ = with_ledger(tmp_path / "run", opened())
    other = Configuration.model_validate({"campaign": {"seed": 6}})
    with caplog.at_level(logging.WARNING):
        check_same_campaign(directory, other, opened=opened(commit=""), then=OnDifference.GO_ON)
    assert "[campaign] seed: 1 there, 6 now" in caplog.text
    assert "commit of hpc-nas: abc there, unknown now" in caplog.text
    # The ledger that is written next names this code: it is the one that counts from now on.
    with LedgerWriter(directory.ledger_path) as ledger:
        ledger.append(opened(commit=""))
    check_same_campaign(directory, Configuration(), opened=opened(commit=""), then=OnDifference.REFUSE)


def test_other_versions_of_packages_are_only_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory, configuration = with_ledger(tmp_path / "run", opened())
    now = opened(versions={"hpc-nas": "0.3.0", "numpy": "2.1", "torch": "2.9", "optuna": "4"})
    with caplog.at_level(logging.WARNING):
        check_same_campaign(directory, configuration, opened=now, then=OnDifference.REFUSE)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "numpy 2.0 there, 2.1 now",
        "optuna not installed there, 4 now",
    ]


def test_ledger_without_a_fingerprint_is_compared_by_checksum(tmp_path: Path) -> None:
    directory, configuration = with_ledger(tmp_path / "run", opened(data={"checksum": "c1"}))
    check_same_campaign(directory, configuration, opened=opened(), then=OnDifference.REFUSE)
    other = opened(data={"checksum": "c2", "fingerprint": "f1"})
    with pytest.raises(RunDirectoryError, match="checksum of the data set: c1 there, c2 now"):
        check_same_campaign(directory, configuration, opened=other, then=OnDifference.REFUSE)
