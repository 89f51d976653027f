"""Load a data set by torchvision's own class: from the cache, from official files, or by download."""

from __future__ import annotations

import http.client
import logging
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.training.dataset import Dataset, Images, Labels
from hpc_nas.training.official_files import Published, is_staged, stage
from hpc_nas.training.torchvision_shim import import_torchvision

_log = logging.getLogger(__name__)

Read = Callable[[Path, str], tuple[Any, Any]]
"""(root, "train" or "test") -> images and labels, of torchvision's class with `download=False`."""
Fetch = Callable[[Path], None]
"""Downloads all parts below a root, by torchvision's class with `download=True`."""


def torchvision_datasets() -> Any:
    """The module torchvision.datasets."""
    import_torchvision()
    import torchvision.datasets

    return torchvision.datasets


def load_official(
    section: DataSection,
    published: tuple[Published, ...],
    *,
    num_classes: int,
    read: Read,
    fetch: Fetch,
    cache_dir: Path,
) -> Dataset:
    """The data set, its files checked and staged below `cache_dir`. Raises DataError."""
    try:
        _bring_into_cache(section, published, fetch=fetch, cache_dir=cache_dir)
        train_images, train_labels = _arrays(*read(cache_dir, "train"))
        test_images, test_labels = _arrays(*read(cache_dir, "test"))
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{section.name}: can't be read from {cache_dir}: {error}") from error
    return Dataset(
        name=section.name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        num_classes=num_classes,
    )


def _bring_into_cache(
    section: DataSection, published: tuple[Published, ...], *, fetch: Fetch, cache_dir: Path
) -> None:
    if section.data_dir is not None:
        stage(published, data_dir=Path(section.data_dir), cache_dir=cache_dir)
    elif not is_staged(published, cache_dir=cache_dir):
        if not section.download:
            raise DataError(
                f"{section.name}: not in the cache {cache_dir}, and download = false; "
                f"{_how_to_get(published)}, or set download = true"
            )
        _download(section, published, fetch=fetch, cache_dir=cache_dir)


def _download(
    section: DataSection, published: tuple[Published, ...], *, fetch: Fetch, cache_dir: Path
) -> None:
    cache_dir.mkdir(parents=True, exist_ok=True)
    _log.info("downloading %s into %s", section.name, cache_dir)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".download-") as root:
        try:
            fetch(Path(root))
        except (OSError, RuntimeError, EOFError, tarfile.TarError, http.client.HTTPException) as error:
            raise DataError(
                f"{section.name}: can't be downloaded: {' '.join(str(error).split())}. "
                f"Without internet: {_how_to_get(published)}"
            ) from error
        stage(published, data_dir=Path(root), cache_dir=cache_dir, place=os.rename)


def _how_to_get(published: tuple[Published, ...]) -> str:
    names = ", ".join(file.name for file in published)
    return f"set data_dir to the directory that holds the official file(s) {names}"


def _arrays(images: Any, labels: Any) -> tuple[Images, Labels]:
    """Whatever torchvision holds ([n,h,w], [n,h,w,3] or [n,3,h,w]) as [n,c,h,w] and int64 labels."""
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif array.shape[-1] == 3:
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array), np.asarray(labels, dtype=np.int64)
