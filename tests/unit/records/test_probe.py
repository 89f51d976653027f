"""The probe: measures where SWMR works, and says what fails where it does not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hpc_nas.records import probe as probe_module
from hpc_nas.records.probe import SwmrProbe, probe_swmr
from tests.disks import tiny_disk


def test_good_directory_is_measured_and_left_clean(tmp_path: Path) -> None:
    found = probe_swmr(tmp_path)
    assert found.ok, found.message
    assert found.kept
    assert 0.0 < found.append_flush_s < 1.0
    assert 0.0 < found.visible_s < 1.0
    assert list(tmp_path.iterdir()) == []


def assert_failed(found: SwmrProbe, *, saying: str) -> None:
    assert not found.ok
    assert saying in found.message
    assert math.isnan(found.append_flush_s)
    assert math.isnan(found.visible_s)


def test_missing_directory_is_a_finding(tmp_path: Path) -> None:
    found = probe_swmr(tmp_path / "nowhere")
    assert_failed(found, saying="nowhere")
    assert not found.kept


def test_full_disk_is_a_finding(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=4096) as disk:
        (disk / "filler").write_bytes(b"1")  # takes the only page
        assert_failed(probe_swmr(disk), saying="No space left on device")


def test_reader_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module.sys, "executable", "/bin/false")
    found = probe_swmr(tmp_path)
    assert_failed(found, saying="another process does not see the rows")
    assert found.kept


def test_reader_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(probe_module.sys, "executable", str(sleeper))
    monkeypatch.setattr(probe_module, "_DEADLINE_S", 0.1)
    assert_failed(probe_swmr(tmp_path), saying="no answer within")
