"""Each group is shown its own GPUs, of those that were granted on its node, by one variable alone."""

from __future__ import annotations

import pytest

from hpc_nas.configuration import Configuration, DeviceVariable, GroupSection, PlatformSection
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.devices import bind_group, group_devices

CUDA, ROCR, HIP, ZE = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
)


def platform(
    *,
    gpus: int,
    groups: int = 1,
    trainers: int = 1,
    share: int = 1,
    variable: DeviceVariable = DeviceVariable.CUDA,
) -> Configuration:
    return Configuration(
        platform=PlatformSection(gpus_per_node=gpus, device_variable=variable),
        group=GroupSection(groups_per_node=groups, trainers_per_node=trainers, gpu_share=share),
    )


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
    granted = {} if visible is None else {CUDA: visible}
    assert group_devices(configuration, granted=granted) == devices


@pytest.mark.parametrize(
    ("visible", "granted"),
    [
        ("", 0),
        (",", 0),
        ("3", 1),
        ("3,-1,4", 1),
        ("-1", 0),
        ("NoDevFiles", 0),  # Slurm's word for none
        ("none", 0),
        ("void", 0),  # the container runtime's
        ("None,None", 0),
        ("3,void,4", 1),
        ("3 4", 0),
    ],
)
def test_too_few_granted_gpus_are_told(visible: str, granted: int) -> None:
    with pytest.raises(LaunchError) as refused:
        group_devices(platform(gpus=2, groups=2), granted={CUDA: visible})
    assert str(refused.value) == (
        f"CUDA_VISIBLE_DEVICES={visible} grants {granted} GPU(s), but 2 group(s) of 1 need 2 (the platform file "
        "says 2 per node); ask the scheduler for more, or lower [group] trainers_per_node or groups_per_node"
    )


@pytest.mark.parametrize("variable", list(DeviceVariable))
@pytest.mark.parametrize("word", ["NoDevFiles", "none", "void", "-1", ""])
def test_word_for_no_gpu_grants_none_whatever_the_variable(variable: DeviceVariable, word: str) -> None:
    with pytest.raises(LaunchError, match=f"{variable}={word} grants 0 GPU"):
        group_devices(platform(gpus=1, variable=variable), granted={variable: word})


def test_word_for_no_gpu_in_rocr_leaves_hip_nothing_to_count() -> None:
    with pytest.raises(LaunchError, match="ROCR_VISIBLE_DEVICES=NoDevFiles grants 0 GPU"):
        group_devices(platform(gpus=1, variable=DeviceVariable.HIP), granted={ROCR: "NoDevFiles", HIP: "0"})


# What Slurm 22.05 sets for 4 of a node's GPUs, whoever made them.
SLURM = {CUDA: "4,5,6,7", ROCR: "4,5,6,7", ZE: "4,5,6,7", "GPU_DEVICE_ORDINAL": "4,5,6,7"}


@pytest.mark.parametrize(
    ("variable", "granted", "bound"),
    [
        (DeviceVariable.CUDA, SLURM, {CUDA: "6,7", ROCR: "4,5,6,7", ZE: "4,5,6,7"}),
        (DeviceVariable.ROCR, SLURM, {ROCR: "6,7", ZE: "4,5,6,7"}),
        (DeviceVariable.HIP, SLURM, {HIP: "2,3", ROCR: "4,5,6,7", ZE: "4,5,6,7"}),
        (DeviceVariable.ZE, SLURM, {**SLURM, ZE: "6,7"}),
        (DeviceVariable.ROCR, {HIP: "4,5,6,7"}, {ROCR: "6,7"}),
        (DeviceVariable.HIP, {CUDA: "4,5,6,7"}, {HIP: "6,7"}),
        (DeviceVariable.HIP, {}, {HIP: "2,3"}),
        (DeviceVariable.ROCR, {ROCR: "GPU-a,GPU-b,GPU-c,GPU-d"}, {ROCR: "GPU-c,GPU-d"}),
        (DeviceVariable.ZE, {ZE: "0.0,0.1,1.0,1.1"}, {ZE: "1.0,1.1"}),
    ],
)
def test_no_second_variable_chooses_among_a_groups_gpus(
    variable: DeviceVariable, granted: dict[str, str], bound: dict[str, str]
) -> None:
    """HIP counts CUDA_VISIBLE_DEVICES within ROCR_VISIBLE_DEVICES: "6,7" in both would leave nothing."""
    configuration = platform(gpus=4, groups=2, trainers=2, variable=variable)
    found = bind_group(configuration, environment={**granted, "PARSL_WORKER_RANK": "1"})
    assert found == {**bound, "PARSL_WORKER_RANK": "1"}


def test_more_workers_than_groups_are_told() -> None:
    with pytest.raises(LaunchError, match=r"PARSL_WORKER_RANK=2, but groups_per_node = 2"):
        bind_group(platform(gpus=4, groups=2), environment={"PARSL_WORKER_RANK": "2"})


def test_environment_is_left_alone_without_gpus_and_outside_of_a_worker() -> None:
    assert bind_group(platform(gpus=4), environment=SLURM) == SLURM
    worker = {**SLURM, "PARSL_WORKER_RANK": "0"}
    assert bind_group(platform(gpus=0), environment=worker) == worker
