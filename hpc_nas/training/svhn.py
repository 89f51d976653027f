"""The data set `svhn`: 73,257 + 26,032 colour images of house numbers, 32x32, 10 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_nas.configuration import DataSection
from hpc_nas.training.dataset import Dataset
from hpc_nas.training.official_files import Published, Unpacked
from hpc_nas.training.torchvision_source import load_official, torchvision_datasets

PARTS = ("train", "test")


def load_svhn(section: DataSection, *, cache_dir: Path) -> Dataset:
    """Street View House Numbers (without the extra part) by torchvision's SVHN. Raises DataError."""
    kind = torchvision_datasets().SVHN

    def read(root: Path, part: str) -> tuple[Any, Any]:
        data = kind(root, split=part, download=False)
        return data.data, data.labels

    def fetch(root: Path) -> None:
        for part in PARTS:
            kind(root, split=part, download=True)

    published = tuple(
        Published(name=name, md5=md5, contents=(Unpacked(path=name, md5=md5),))
        for _, name, md5 in (kind.split_list[part] for part in PARTS)
    )
    return load_official(section, published, num_classes=10, read=read, fetch=fetch, cache_dir=cache_dir)
