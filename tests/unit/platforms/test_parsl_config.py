"""What Parsl is told: one worker a group, and heartbeats within the grace time."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from parsl.executors import HighThroughputExecutor

from hpc_nas.configuration import Configuration, GroupSection, PlatformSection, Scheduler
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_config import parsl_config


def platform(*, gpus: int, groups: int = 1, trainers: int = 1) -> Configuration:
    return Configuration(
        platform=PlatformSection(gpus_per_node=gpus),
        group=GroupSection(groups_per_node=groups, trainers_per_node=trainers),
    )


def executor(configuration: Configuration, *, parsl_dir: Path) -> HighThroughputExecutor:
    (found,) = parsl_config(configuration, parsl_dir=parsl_dir).executors
    assert isinstance(found, HighThroughputExecutor)
    return found


def test_parsl_has_one_worker_for_each_group_and_binds_none_of_them(tmp_path: Path) -> None:
    """Groups bind themselves to GPUs, on the node, of what is granted there."""
    found = executor(platform(gpus=4, groups=2, trainers=2), parsl_dir=tmp_path)
    assert (found.workers_per_node, found.available_accelerators, found.cpu_affinity) == (2, [], "none")


def test_too_few_gpus_on_this_machine_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(LaunchError, match=r"^CUDA_VISIBLE_DEVICES=3 grants 1 GPU"):
        parsl_config(platform(gpus=2, groups=2), parsl_dir=tmp_path)
    elsewhere = Configuration(platform=PlatformSection(gpus_per_node=2, scheduler=Scheduler.SLURM))
    parsl_config(elsewhere, parsl_dir=tmp_path)


def test_pool_is_started_by_its_path_under_the_wrapper(tmp_path: Path) -> None:
    configuration = Configuration(group=GroupSection(orphan_grace_s=12.0))
    words = executor(configuration, parsl_dir=tmp_path).launch_cmd.split()
    assert words[:4] == ["trap", "''", "USR1", "USR2;"]  # the shell that starts it lives through warnings
    assert words[4:6] == ["bash", str(tmp_path / "pool.sh")]
    words = shlex.split((tmp_path / "pool.sh").read_text().splitlines()[1])
    assert words[:3] == ["exec", sys.executable, "-P"]
    assert Path(words[3]).name == "pool_wrapper.py"
    assert words[4:8] == ["--grace", "6", sys.executable, "-P"]
    assert Path(words[8]).name == "pool.py"
    assert Path(words[9]) == Path(sys.executable).with_name("process_worker_pool.py")
    assert words[10:] == ["$@"]


@pytest.mark.parametrize(("grace_s", "threshold_s"), [(6.0, 4), (12.0, 4), (17.0, 5), (30.0, 10)])
def test_worker_pool_leaves_within_the_grace_time(tmp_path: Path, grace_s: float, threshold_s: int) -> None:
    configuration = Configuration(group=GroupSection(orphan_grace_s=grace_s))
    found = executor(configuration, parsl_dir=tmp_path)
    assert (found.heartbeat_threshold, found.heartbeat_period) == (threshold_s, 2)
    assert found.heartbeat_threshold < grace_s
