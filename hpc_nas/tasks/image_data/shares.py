"""Which classes are in which part of the data: what is too rare to be learnt and measured is said by name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data.dataset import Dataset, Labels

__all__ = ["name_classes", "rare_classes"]

MAX_NAMED = 5


def rare_classes(dataset: Dataset, *, train: Labels, validation: Labels) -> tuple[str, ...]:
    """What is to be said of the classes that a part lacks, a line each; `train` and `validation` were cut.

    Raises DataError where there is but one class to train on.
    """
    if len(np.unique(train)) < 2:
        raise DataError(
            f"{dataset.name}: the {len(train)} images to train on are all of class {train[0]}; at least 2 classes are "
            "needed: use more of the data ([data] max_train_samples), or another cut ([data] seed)"
        )
    return tuple(_said(dataset, train=train, validation=validation))


def _said(dataset: Dataset, *, train: Labels, validation: Labels) -> Iterator[str]:
    every = np.concatenate([dataset.train_labels, dataset.test_labels])
    classes = np.arange(dataset.num_classes)
    absent = np.setdiff1d(classes, every)
    if len(absent):
        yield f"{dataset.name}: {name_classes(absent, every)} not in the data at all"
    untaught = np.setdiff1d(np.setdiff1d(classes, train), absent)
    if len(untaught):
        yield (
            f"{dataset.name}: {name_classes(untaught, every)} not in the training data, so no network can learn it"
        )
    unmeasured = np.setdiff1d(np.setdiff1d(classes, validation), np.concatenate([absent, untaught]))
    if len(unmeasured):
        yield (
            f"{dataset.name}: {name_classes(unmeasured, every)} not in the validation data, so how well it is learnt "
            "is not seen"
        )


def name_classes(classes: NDArray[np.int64], labels: Labels) -> str:
    """`class 3 (1 image) is`, or `classes 3 (1 image), 7 (2 images), ... (9 in all) are`, as `labels` have them."""
    named = []
    for label in classes[:MAX_NAMED]:
        count = int((labels == label).sum())
        named.append(f"{label} ({count} image{'' if count == 1 else 's'})")
    if len(classes) == 1:
        return f"class {named[0]} is"
    more = f", ... ({len(classes)} in all)" if len(classes) > MAX_NAMED else ""
    return f"classes {', '.join(named)}{more} are"
