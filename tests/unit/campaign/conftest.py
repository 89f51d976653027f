"""Fixtures of the tests of the campaign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from recorder_helpers import Campaign, campaign


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Campaign]:
    """Recorder with three candidates that run in group 0."""
    with campaign(tmp_path) as made:
        made.begin()
        yield made
