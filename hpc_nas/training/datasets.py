"""Data sets by name, cut for training. A new kind is a file with one loader, and a line here."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Protocol

from hpc_nas.configuration import DataSection
from hpc_nas.configuration.text import TextSection
from hpc_nas.errors import DataError
from hpc_nas.training.array_file import SUFFIXES
from hpc_nas.training.cifar import load_cifar10, load_cifar100
from hpc_nas.training.dataset import Dataset
from hpc_nas.training.digits import load_digits
from hpc_nas.training.fashion_mnist import load_fashion_mnist
from hpc_nas.training.host_memory import GIB, available_bytes
from hpc_nas.training.splits import Splits, split
from hpc_nas.training.svhn import load_svhn
from hpc_nas.training.text import NAME, SUFFIX, TextSplits, is_text, load_text
from hpc_nas.training.user_file import load_user_file


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


AnySplits = Splits | TextSplits


def load_splits(section: DataSection, *, cache_dir: Path) -> AnySplits:
    """What candidates are trained and validated on: images, or a text. Raises DataError as `load_dataset`."""
    try:
        if is_text(section):
            return load_text(section)
        if section.text != TextSection():
            raise DataError(f"[data.text] is set, but {section.name!r} holds images; leave the table out")
        return split(load_dataset(section, cache_dir=cache_dir), section)
    except MemoryError as error:
        raise DataError(
            f"{section.name}: does not fit into memory: {error or 'no more to be had'}; "
            f"{available_bytes() / GIB:.2f} GiB are available here; use fewer or smaller samples, or more memory"
        ) from error


def load_dataset(section: DataSection, *, cache_dir: Path) -> Dataset:
    """The images that `section.name` names: one of KINDS, or a .npz/.h5 file.

    Safe to call from several processes at once. Raises DataError where it is unknown, missing or corrupt.
    """
    loader = KINDS.get(section.name)
    if loader is None and Path(section.name).suffix.lower() in SUFFIXES:
        loader = load_user_file
    if loader is None:
        near = difflib.get_close_matches(section.name, [*KINDS, NAME], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KINDS)}, {NAME}"
        raise DataError(
            f"[data]: name = {section.name!r} is no known data set "
            f"and no {' or '.join(SUFFIXES)} file, nor a text (a file *{SUFFIX}, a directory); {hint}"
        )
    return loader(section, cache_dir=cache_dir)
