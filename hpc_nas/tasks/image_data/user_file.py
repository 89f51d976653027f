"""A user's own data set: one .npz or .h5 file with the arrays `images` and `labels`.

`images`: uint8 (or integers in 0..255) [n, h, w], [n, h, w, c] or, where it can't be mistaken, [n, c, h, w].
`labels`: integers [n], classes 0..k-1. Optional: `is_test` bool [n] marks the test set (otherwise a fixed
fifth is held out); `num_classes` or `class_names` declares how many classes there are (otherwise every
class up to the largest label must occur).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data.array_file import Arrays, read_arrays
from hpc_nas.tasks.image_data.dataset import Dataset, Images, Labels, check_label_range
from hpc_nas.tasks.image_data.shares import name_classes
from hpc_nas.tasks.image_data.subsets import hold_out_test, separate_test

MAX_CHANNELS = 4
_REQUIRED = ("images", "labels")
_OPTIONAL = ("is_test", "num_classes", "class_names")


def load_user_file(section: DataSection, *, cache_dir: Path) -> Dataset:
    """The data set in the file that `section.name` names; nothing is cached. Raises DataError."""
    path = Path(section.name)
    arrays = _read(path)
    images = _images(arrays["images"], path=path)
    labels = _labels(arrays["labels"], path=path)
    if len(images) != len(labels):
        raise DataError(f"{path}: {len(images)} images but {len(labels)} labels; expected as many")
    num_classes = _num_classes(arrays, labels, path=path)
    check_label_range(labels, num_classes, where=str(path))
    if "is_test" not in arrays:
        _check_contrast(images, what="images", path=path)
        return hold_out_test(images, labels, name=section.name, num_classes=num_classes)
    is_test = _is_test(arrays["is_test"], len(labels), path=path)
    _check_contrast(images[~is_test], what="images outside of the test set", path=path)
    _check_learnable(labels, is_test, path=path)
    return separate_test(images, labels, name=section.name, is_test=is_test, num_classes=num_classes)


def _read(path: Path) -> Arrays:
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a .npz or .h5 file with {' and '.join(_REQUIRED)}")
    arrays = read_arrays(path, names=(*_REQUIRED, *_OPTIONAL))
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise DataError(
            f"{path}: has no array {' or '.join(missing)}; expected {', '.join(_REQUIRED)} "
            f"and optionally {', '.join(_OPTIONAL)}"
        )
    return arrays


def _images(images: NDArray[Any], *, path: Path) -> Images:
    if not np.issubdtype(images.dtype, np.integer) or images.size == 0:
        raise DataError(
            f"{path}: images are {images.dtype} {images.shape}; expected uint8, 0..255, not empty"
        )
    if images.dtype != np.uint8 and (images.min() < 0 or images.max() > 255):
        raise DataError(f"{path}: images hold {images.min()}..{images.max()}; expected 0..255, as uint8")
    return np.ascontiguousarray(_channels_first(images, path=path), dtype=np.uint8)


def _channels_first(images: NDArray[Any], *, path: Path) -> NDArray[Any]:
    if images.ndim == 3:
        return images[:, np.newaxis]
    if images.ndim == 4:
        first, last = images.shape[1] <= MAX_CHANNELS, images.shape[3] <= MAX_CHANNELS
        if last and not first:
            return images.transpose(0, 3, 1, 2)
        if first and not last:
            return images
    raise DataError(
        f"{path}: images have shape {images.shape}; expected [n, height, width] or "
        f"[n, height, width, channels], or [n, channels, height, width] where it can't be mistaken, "
        f"with 1..{MAX_CHANNELS} channels"
    )


def _labels(labels: NDArray[Any], *, path: Path) -> Labels:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: labels are {labels.dtype} with shape {labels.shape}; expected integers [n]")
    return labels.astype(np.int64)


def _num_classes(arrays: Arrays, labels: Labels, *, path: Path) -> int:
    if "num_classes" in arrays:
        declared = arrays["num_classes"]
        if declared.size != 1 or not np.issubdtype(declared.dtype, np.integer):
            raise DataError(f"{path}: num_classes is {declared.dtype} {declared.shape}; expected one integer")
        return int(declared.reshape(()))
    if "class_names" in arrays:
        return int(arrays["class_names"].size)
    present = np.unique(labels)
    if not np.array_equal(present, np.arange(len(present))):
        raise DataError(
            f"{path}: {len(present)} classes with labels {present[0]}..{present[-1]}; expected every class "
            f"of 0..{len(present) - 1}, or num_classes stored in the file"
        )
    return len(present)


def _is_test(is_test: NDArray[Any], count: int, *, path: Path) -> NDArray[np.bool_]:
    if is_test.dtype != np.bool_ or is_test.shape != (count,):
        raise DataError(
            f"{path}: is_test is {is_test.dtype} with shape {is_test.shape}; expected bool [{count}]"
        )
    if is_test.all() or not is_test.any():
        raise DataError(
            f"{path}: is_test marks {int(is_test.sum())} of {count} images; expected some, not all"
        )
    return is_test


def _check_contrast(images: Images, *, what: str, path: Path) -> None:
    """Raises DataError where all are the same, as zeros of a part of the file that was never written."""
    if (images == images[0]).all():
        low, high = images[0].min(), images[0].max()
        pixels = f"and every pixel of them {low}" if low == high else f"with pixels of {low}..{high}"
        raise DataError(f"{path}: all {len(images)} {what} are the same, {pixels}: there is nothing to learn")


def _check_learnable(labels: Labels, is_test: NDArray[np.bool_], *, path: Path) -> None:
    """Raises DataError for classes that the test set alone has: no network can name them."""
    only = np.setdiff1d(labels[is_test], labels[~is_test])
    if len(only):
        raise DataError(
            f"{path}: {name_classes(only, labels)} in the test set only, so no network can learn it; mark some of "
            "these images as is_test = False, or leave them out"
        )
