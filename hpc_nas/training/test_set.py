"""The test set, which nothing but the last look at a finished network ever sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.space import Space
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.datasets import load_dataset
from hpc_nas.training.device_data import AnyData, channel_statistics, to_device
from hpc_nas.training.session import Session
from hpc_nas.training.splits import split
from hpc_nas.training.sums import Means
from hpc_nas.training.text import is_text, load_text
from hpc_nas.values import Candidate


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """A campaign's data with the test set where validation data stand, normalised as the training data are.

    `normalization` is the mean and the deviation of the pixels that were applied, by channel; a text has none.
    """

    data: AnyData
    num_samples: int
    checksum: str
    normalization: dict[str, list[float]] | None


def load_test_set(section: DataSection, *, cache_dir: Path, device: torch.device) -> HeldOut:
    """Load it again, from where trainers found the data. Raises DataError."""
    if is_text(section):
        text = load_text(section)
        return HeldOut(
            data=to_device(replace(text, validation=text.test), device=device),
            num_samples=text.num_test,
            checksum=text.checksum,
            normalization=None,
        )
    dataset = load_dataset(section, cache_dir=cache_dir)
    splits = split(dataset, section)
    mean, deviation = channel_statistics(splits.train_images)
    on_test = replace(splits, validation_images=dataset.test_images, validation_labels=dataset.test_labels)
    return HeldOut(
        data=to_device(on_test, device=device),
        num_samples=len(dataset.test_labels),
        checksum=dataset.checksum,
        normalization={"mean": mean.flatten().tolist(), "deviation": deviation.flatten().tolist()},
    )


def evaluate(
    candidate: Candidate,
    weights: Plain,
    *,
    space: Space,
    problem: AnyProblem,
    held_out: HeldOut,
    section: TrainingSection,
    device: torch.device,
) -> Means:
    """Loss and accuracy on the test set of the candidate's network with this state dict, as a validation has them.

    Raises whatever the network's own code raises, NonFiniteLoss besides.
    """
    session = Session(
        candidate, space=space, problem=problem, data=held_out.data, section=section, device=device
    )
    try:
        session.module.load_state_dict(weights, strict=True)
        for _ in range(session.validation_batches_left):
            session.validate_batch()
        return session.validation_means()
    finally:
        session.close()
