"""Data sets by torchvision's own classes: from the cache, from their official files, or by download.

`cifar10`, `cifar100`: 50,000 + 10,000 colour images, 32x32, 10 or 100 classes. `fashion_mnist`: 60,000 + 10,000 grey
images of clothes, 28x28, 10 classes. `svhn`: 73,257 + 26,032 colour images of house numbers, 32x32, 10 classes.
"""

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
from hpc_nas.tasks.image_data.dataset import Dataset, Images, Labels
from hpc_nas.tasks.image_data.official_files import Published, Unpacked, is_staged, stage
from hpc_nas.tasks.image_data.torchvision_import import import_torchvision

_log = logging.getLogger(__name__)

SVHN_PARTS = ("train", "test")
# Of the files inside the .gz, whose own MD5s torchvision holds.
_FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

Read = Callable[[Path, str], tuple[Any, Any]]
"""(root, "train" or "test") -> images and labels, of torchvision's class with `download=False`."""
Fetch = Callable[[Path], None]
"""Downloads all parts below a root, by torchvision's class with `download=True`."""


def torchvision_datasets() -> Any:
    """The module torchvision.datasets."""
    import_torchvision()
    import torchvision.datasets

    return torchvision.datasets


def load_cifar10(section: DataSection, *, cache_dir: Path) -> Dataset:
    """CIFAR-10 by torchvision's CIFAR10. Raises DataError."""
    return _load_cifar(torchvision_datasets().CIFAR10, section, num_classes=10, cache_dir=cache_dir)


def load_cifar100(section: DataSection, *, cache_dir: Path) -> Dataset:
    """CIFAR-100 (the 100 fine labels) by torchvision's CIFAR100. Raises DataError."""
    return _load_cifar(torchvision_datasets().CIFAR100, section, num_classes=100, cache_dir=cache_dir)


def _load_cifar(kind: Any, section: DataSection, *, num_classes: int, cache_dir: Path) -> Dataset:
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


def load_fashion_mnist(section: DataSection, *, cache_dir: Path) -> Dataset:
    """Fashion-MNIST by torchvision's FashionMNIST. Raises DataError."""
    kind = torchvision_datasets().FashionMNIST

    def read(root: Path, part: str) -> tuple[Any, Any]:
        data = kind(root, train=part == "train", download=False)
        return data.data, data.targets

    def fetch(root: Path) -> None:
        kind(root, download=True)

    published = tuple(
        Published(name=name, md5=md5, contents=(_fashion_mnist_file(name.removesuffix(".gz")),))
        for name, md5 in kind.resources
    )
    return load_official(section, published, num_classes=10, read=read, fetch=fetch, cache_dir=cache_dir)


def _fashion_mnist_file(name: str) -> Unpacked:
    return Unpacked(path=f"FashionMNIST/raw/{name}", md5=_FASHION_MNIST_MD5[name])


def load_svhn(section: DataSection, *, cache_dir: Path) -> Dataset:
    """Street View House Numbers (without the extra part) by torchvision's SVHN. Raises DataError."""
    kind = torchvision_datasets().SVHN

    def read(root: Path, part: str) -> tuple[Any, Any]:
        data = kind(root, split=part, download=False)
        return data.data, data.labels

    def fetch(root: Path) -> None:
        for part in SVHN_PARTS:
            kind(root, split=part, download=True)

    published = tuple(
        Published(name=name, md5=md5, contents=(Unpacked(path=name, md5=md5),))
        for _, name, md5 in (kind.split_list[part] for part in SVHN_PARTS)
    )
    return load_official(section, published, num_classes=10, read=read, fetch=fetch, cache_dir=cache_dir)


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
