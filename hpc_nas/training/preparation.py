"""What the campaign does with the data before anything is launched: fetch, check, and say what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import DataSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.training.datasets import load_dataset
from hpc_nas.training.splits import dataset_fingerprint, split


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """A checked data set, without its images. `chance_accuracy` is in percent.

    `checksum` is the whole data set's, `fingerprint` that of what candidates are trained and validated on.
    """

    problem: Problem
    chance_accuracy: float
    num_train: int
    num_validation: int
    num_test: int
    checksum: str
    fingerprint: str


def prepare(section: DataSection, *, cache_dir: Path) -> DataSummary:
    """Bring the data set into the cache, where it needs one, and check all of it. Raises DataError.

    Trainers load it again later, from the same cache, without any download.
    """
    splits = split(load_dataset(section, cache_dir=cache_dir), section)
    return DataSummary(
        problem=splits.problem,
        chance_accuracy=splits.chance_accuracy,
        num_train=len(splits.train_labels),
        num_validation=len(splits.validation_labels),
        num_test=splits.num_test,
        checksum=splits.checksum,
        fingerprint=dataset_fingerprint(splits),
    )
