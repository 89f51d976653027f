"""Sets of images by name, or in a file of the user's. A new one is a loader, and a line here."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Protocol

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data.array_file import SUFFIXES
from hpc_nas.tasks.image_data.dataset import Dataset
from hpc_nas.tasks.image_data.digits import load_digits
from hpc_nas.tasks.image_data.torchvision_sets import (
    load_cifar10,
    load_cifar100,
    load_fashion_mnist,
    load_svhn,
)
from hpc_nas.tasks.image_data.user_file import load_user_file


class Loader(Protocol):
    """Loads one kind of data set; what it must unpack or download goes below `cache_dir`."""

    def __call__(self, section: DataSection, *, cache_dir: Path) -> Dataset: ...


KINDS: dict[str, Loader] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "svhn": load_svhn,
}


def load_dataset(section: DataSection, *, cache_dir: Path) -> Dataset:
    """The images that `section.name` names: one of KINDS, or a .npz/.h5 file.

    Safe to call from several processes at once. Raises DataError where it is unknown, missing or corrupt.
    """
    loader = KINDS.get(section.name)
    if loader is None and Path(section.name).suffix.lower() in SUFFIXES:
        loader = load_user_file
    if loader is None:
        near = difflib.get_close_matches(section.name, [*KINDS, "ptb"], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KINDS)}, ptb"
        raise DataError(
            f"[data]: name = {section.name!r} is no known data set "
            f"and no {' or '.join(SUFFIXES)} file, nor a text (a file *.txt, a directory); {hint}"
        )
    return loader(section, cache_dir=cache_dir)
