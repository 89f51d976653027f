"""What all tests share: the recorded data, and how its absence is handled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow, and no example has a time limit; the examples are the same on every run.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Directory of real images and recorded curves; skips where it is absent, fails there under CI."""
    path = Path(os.environ.get("HPC_NAS_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not path.is_dir():
        message = f"no test data at {path}; set HPC_NAS_TEST_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
