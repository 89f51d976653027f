"""The doctor tries what a campaign would do, and never leaves a failure without advice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hpc_nas.configuration import Configuration, GroupSection, PlatformSection
from hpc_nas.platforms import doctor
from hpc_nas.platforms.doctor import Finding, examine

NAMES = ["cores", "MPI", "GPUs", "HDF5", "disk", "paths", "Parsl", "messages", "scheduler"]


@pytest.fixture(scope="module")
def no_gpus() -> pytest.MonkeyPatch:
    """Whatever this machine has, torch sees no GPU: the local platform trains on the CPU."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CUDA_VISIBLE_DEVICES", "")
    return patch


@pytest.fixture(scope="module")
def findings(no_gpus: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """Of this machine, with one trainer."""
    local = Configuration(group=GroupSection(trainers_per_node=1))
    try:
        return examine(local, directory=tmp_path_factory.mktemp("runs"))
    finally:
        no_gpus.undo()


def by_name(findings: Sequence[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_this_machine_is_ready(findings: list[Finding]) -> None:
    assert [finding.name for finding in findings] == NAMES
    assert {finding.name: (finding.status, finding.advice) for finding in findings} == dict.fromkeys(
        NAMES, ("OK", "")
    )
    found = by_name(findings)
    assert "2 ranks started and found each other" in found["MPI"].detail
    assert "training on the CPU" in found["GPUs"].detail
    assert "append and flush" in found["HDF5"].detail
    assert "CURVE" in found["messages"].detail


def test_examination_leaves_nothing_behind(findings: list[Finding], tmp_path: Path) -> None:
    examined = Path(by_name(findings)["disk"].detail.rpartition(" in ")[2])
    assert examined.is_dir()
    assert list(examined.iterdir()) == []


def test_impossible_platform_fails_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = Configuration(
        platform=PlatformSection(gpus_per_node=99, mpiexec="nonexistent"),
        group=GroupSection(trainers_per_node=99, threads_per_rank=999),
    )
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 80)
    found = examine(impossible, directory=tmp_path)
    assert [finding.name for finding in found] == NAMES
    status = {finding.name: finding.status for finding in found}
    assert status == {
        "cores": "WARN",
        "MPI": "FAIL",
        "GPUs": "FAIL",
        "HDF5": "OK",
        "disk": "WARN",
        "paths": "OK",
        "Parsl": "OK",
        "messages": "OK",
        "scheduler": "OK",
    }
    for finding in found:
        assert finding.failed == (finding.status == "FAIL")
        assert bool(finding.advice) == (finding.status != "OK")
        assert finding.detail
    by = by_name(found)
    assert "no 'nonexistent' beside" in by["MPI"].detail
    assert "the platform says 99" in by["GPUs"].detail
    assert "trainers use 98901 threads" in by["cores"].detail


def test_directory_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    for check in (doctor._hdf5, doctor._disk):
        found = check(tmp_path / "not-there")
        assert found.status != "OK"
        assert "not-there" in found.detail
        assert found.advice


def test_missing_parsl_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = doctor._parsl()
    assert found.status == "FAIL"
    assert "interchange.py, process_worker_pool.py not beside" in found.detail
    assert found.advice
