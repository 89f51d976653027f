"""Without the GPUs that the platform speaks of, `run` refuses by what the doctor says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpc_nas.configuration import (
    Configuration,
    GroupSection,
    NodeLauncher,
    Placement,
    PlatformSection,
    Scheduler,
)
from hpc_nas.errors import LaunchError
from hpc_nas.platforms import gpu_check
from hpc_nas.platforms.gpu_check import check_gpus, find_gpus

CUDA = "CUDA_VISIBLE_DEVICES"


def platform(*, gpus: int, trainers: int = 1, **more: object) -> Configuration:
    return Configuration(
        platform=PlatformSection.model_validate({"gpus_per_node": gpus, **more}),
        group=GroupSection(trainers_per_node=trainers),
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where Python has a torch that sees as many GPUs as CUDA_VISIBLE_DEVICES names, 2 without it."""
    (tmp_path / "torch.py").write_text(
        "import os\n"
        "__version__ = '0'\n"
        f"names = os.environ.get({CUDA!r}, '0,1').split(',')\n"
        "class cuda:\n"
        "    device_count = staticmethod(lambda: sum(name.isdigit() for name in names))\n"
        "    get_device_name = staticmethod(lambda index: f'GPU {names[index]}')\n"
    )
    return {**{key: value for key, value in os.environ.items() if key != CUDA}, "PYTHONPATH": str(tmp_path)}


def test_gpus_that_are_there_are_found(environment: dict[str, str]) -> None:
    found = find_gpus(platform(gpus=2, trainers=2), environment=environment)
    assert (found.status, found.detail) == ("OK", "torch 0 sees 2 GPU(s): GPU 0, GPU 1")
    check_gpus(platform(gpus=2, trainers=2), environment=environment)


@pytest.mark.parametrize("visible", ["", "NoDevFiles", "-1", "none"])
def test_run_says_at_once_what_the_doctor_says(environment: dict[str, str], visible: str) -> None:
    environment[CUDA] = visible
    found = find_gpus(platform(gpus=1), environment=environment)
    assert (found.status, found.detail) == ("FAIL", "torch 0 sees 0 GPU(s); the platform says 1")
    assert f"CUDA_VISIBLE_DEVICES ({visible!r})" in found.advice
    with pytest.raises(LaunchError) as refused:
        check_gpus(platform(gpus=1), environment=environment)
    assert str(refused.value).startswith(f"{found.detail}; {found.advice}, or name another --platform")


def test_fewer_gpus_than_the_platform_says_are_enough_for_fewer_trainers(environment: dict[str, str]) -> None:
    found = find_gpus(platform(gpus=4, trainers=2), environment=environment)
    assert (found.status, found.detail.partition("; ")[2]) == ("WARN", "the platform says 4")
    check_gpus(platform(gpus=4, trainers=2), environment=environment)
    with pytest.raises(LaunchError, match="sees 2 GPU"):
        check_gpus(platform(gpus=4, trainers=3), environment=environment)


@pytest.mark.parametrize(
    "configuration",
    [
        platform(gpus=0),
        platform(gpus=1, scheduler=Scheduler.SLURM, node_launcher=NodeLauncher.SRUN),
        platform(gpus=1, scheduler=Scheduler.SLURM, placement=Placement.BLOCKS, walltime="01:00:00"),
    ],
)
def test_nothing_is_asked_where_no_group_starts_on_a_gpu_of_this_machine(
    configuration: Configuration, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment[CUDA] = ""
    monkeypatch.setattr(gpu_check, "find_gpus", None)
    check_gpus(configuration, environment=environment)


def test_a_driver_that_does_not_answer_is_told(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setattr(gpu_check, "TIMEOUT_S", 0.2)
    assert "did not say within 0.2 s" in find_gpus(platform(gpus=1), environment=environment).detail


def test_a_torch_that_can_not_be_imported_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12')\n")
    found = find_gpus(platform(gpus=1), environment=environment)
    assert (found.status, found.detail) == ("FAIL", "torch can't be imported: ImportError: libcudart.so.12")
