"""Going on with a campaign: it must be the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpc_nas.campaign.resume import check_same_configuration
from hpc_nas.configuration import Configuration
from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.run_directory import RunDirectory


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
        f"{directory.path} holds a campaign of another configuration; resume it with its own "
        f"(hpc-nas run --resume --run-dir {directory.path}), or start a new one elsewhere:",
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
