"""The data sets `cifar10` and `cifar100`: 50,000 + 10,000 colour images, 32x32, 10 or 100 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_nas.configuration import DataSection
from hpc_nas.training.dataset import Dataset
from hpc_nas.training.official_files import Published, Unpacked
from hpc_nas.training.torchvision_source import load_official, torchvision_datasets


def load_cifar10(section: DataSection, *, cache_dir: Path) -> Dataset:
    """CIFAR-10 by torchvision's CIFAR10. Raises DataError."""
    return _load(torchvision_datasets().CIFAR10, section, num_classes=10, cache_dir=cache_dir)


def load_cifar100(section: DataSection, *, cache_dir: Path) -> Dataset:
    """CIFAR-100 (the 100 fine labels) by torchvision's CIFAR100. Raises DataError."""
    return _load(torchvision_datasets().CIFAR100, section, num_classes=100, cache_dir=cache_dir)


def _load(kind: Any, section: DataSection, *, num_classes: int, cache_dir: Path) -> Dataset:
    def read(root: Path, part: str) -> tuple[Any, Any]:
        data = kind(root, train=part == "train", download=False)
        return data.data, data.targets

    def fetch(root: Path) -> None:
        kind(root, download=True)

    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    contents = tuple(Unpacked(path=f"{kind.base_folder}/{name}", md5=md5) for name, md5 in files)
    published = (Published(name=kind.filename, md5=kind.tgz_md5, contents=contents),)
    return load_official(
        section, published, num_classes=num_classes, read=read, fetch=fetch, cache_dir=cache_dir
    )
