"""What Parsl is told: one worker a group, each with its own GPUs, and heartbeats within the grace time."""

from __future__ import annotations

from pathlib import Path

import pytest
from parsl.executors import HighThroughputExecutor

from hpc_nas.configuration import Configuration, GroupSection, PlatformSection
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_config import group_devices, parsl_config


def platform(*, gpus: int, groups: int = 1, trainers: int = 1, share: int = 1) -> Configuration:
    return Configuration(
        platform=PlatformSection(gpus_per_node=gpus),
        group=GroupSection(groups_per_node=groups, trainers_per_node=trainers, gpu_share=share),
    )


def executor(configuration: Configuration, *, parsl_dir: Path) -> HighThroughputExecutor:
    (found,) = parsl_config(configuration, parsl_dir=parsl_dir).executors
    assert isinstance(found, HighThroughputExecutor)
    return found


@pytest.mark.parametrize(
    ("configuration", "visible", "devices"),
    [
        (platform(gpus=0, groups=3), None, []),
        (platform(gpus=0, groups=3), "0,1", []),
        (platform(gpus=1, trainers=4, share=4), None, ["0"]),
        (platform(gpus=4, trainers=2), None, ["0,1"]),
        (platform(gpus=4, groups=2, trainers=2), None, ["0,1", "2,3"]),
        (platform(gpus=6, groups=3, trainers=3, share=2), None, ["0,1", "2,3", "4,5"]),
        (platform(gpus=6, groups=2, trainers=4, share=2), None, ["0,1", "2,3"]),
        (platform(gpus=2, groups=2), "5, 7", ["5", "7"]),
        (platform(gpus=2, groups=2), "GPU-1a2b,MIG-3c4d", ["GPU-1a2b", "MIG-3c4d"]),
        (platform(gpus=4, groups=1, trainers=2), "2,3", ["2,3"]),
    ],
)
def test_each_group_has_its_own_gpus(
    configuration: Configuration, visible: str | None, devices: list[str]
) -> None:
    assert group_devices(configuration, visible=visible) == devices


@pytest.mark.parametrize(("visible", "granted"), [("", 0), ("3", 1), ("3,-1,4", 1)])
def test_too_few_granted_gpus_are_told(visible: str, granted: int) -> None:
    with pytest.raises(LaunchError) as refused:
        group_devices(platform(gpus=2, groups=2), visible=visible)
    assert str(refused.value) == (
        f"CUDA_VISIBLE_DEVICES={visible} grants {granted} GPU(s), but 2 group(s) of 1 need 2 (the platform file "
        "says 2 per node); ask the scheduler for more, or lower [group] trainers_per_node or groups_per_node"
    )


def test_parsl_has_one_worker_for_each_group_s_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = executor(platform(gpus=4, groups=2, trainers=2), parsl_dir=tmp_path)
    assert (found.available_accelerators, found.workers_per_node) == (["0,1", "2,3"], 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    assert executor(platform(gpus=2, groups=2), parsl_dir=tmp_path).available_accelerators == ["6", "7"]
    assert executor(platform(gpus=0, groups=3), parsl_dir=tmp_path).available_accelerators == []


@pytest.mark.parametrize(("grace_s", "threshold_s"), [(6.0, 4), (12.0, 4), (17.0, 5), (30.0, 10)])
def test_worker_pool_leaves_within_the_grace_time(tmp_path: Path, grace_s: float, threshold_s: int) -> None:
    configuration = Configuration(group=GroupSection(orphan_grace_s=grace_s))
    found = executor(configuration, parsl_dir=tmp_path)
    assert (found.heartbeat_threshold, found.heartbeat_period) == (threshold_s, 2)
    assert found.heartbeat_threshold < grace_s
