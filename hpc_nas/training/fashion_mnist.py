"""The data set `fashion_mnist`: 60,000 + 10,000 grey images of clothes, 28x28, 10 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_nas.configuration import DataSection
from hpc_nas.training.dataset import Dataset
from hpc_nas.training.official_files import Published, Unpacked
from hpc_nas.training.torchvision_source import load_official, torchvision_datasets

# Of the files inside the .gz, whose own MD5s torchvision holds.
_UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def load_fashion_mnist(section: DataSection, *, cache_dir: Path) -> Dataset:
    """Fashion-MNIST by torchvision's FashionMNIST. Raises DataError."""
    kind = torchvision_datasets().FashionMNIST

    def read(root: Path, part: str) -> tuple[Any, Any]:
        data = kind(root, train=part == "train", download=False)
        return data.data, data.targets

    def fetch(root: Path) -> None:
        kind(root, download=True)

    published = tuple(
        Published(name=name, md5=md5, contents=(_unpacked(name.removesuffix(".gz")),))
        for name, md5 in kind.resources
    )
    return load_official(section, published, num_classes=10, read=read, fetch=fetch, cache_dir=cache_dir)


def _unpacked(name: str) -> Unpacked:
    return Unpacked(path=f"FashionMNIST/raw/{name}", md5=_UNPACKED_MD5[name])
