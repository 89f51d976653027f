"""What tests of tasks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.tasks.image_data import load_dataset

from .task_helpers import fashion_section


@pytest.fixture(scope="session")
def fashion_cache(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache into which Fashion-MNIST's official files were staged once."""
    cache = tmp_path_factory.mktemp("cache")
    load_dataset(fashion_section(test_data), cache_dir=cache)
    return cache
